# The dashboards of dashboards/grafana: their form, every query as a reader in
# the simple protocol over the demo load and over an empty database, frames and
# values.  Grafana itself is not needed; its packages for the types and frames
# come from npm, and without them this is left out.
use strict;
use warnings;
use Cwd qw(getcwd);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no node of version 18 or newer'
  if system(q{node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' >/dev/null 2>&1}) != 0;

my $work = PostgreSQL::Test::Utils::tempdir;
$ENV{HOME} = $work;
system("cp test/dashboards/*.mjs $work/") == 0 or die 'could not copy the checks';
my $installed = system("cd $work && npm_config_cache=$work/npm timeout 240"
	  . ' npm install --ignore-scripts --no-audit --no-fund --loglevel=error'
	  . " \@grafana/schema\@13.2 \@grafana/data\@13.2 typescript\@6 pg\@8 >$work/npm.log 2>&1");
if ($installed != 0)
{
	note(slurp_file("$work/npm.log"));
	plan skip_all => 'npm does not reach the packages @grafana/schema and @grafana/data';
}

my $until = '2026-06-15 12:00:00+00';
my $odd = q{it's "odd" $1 ${project}; -- \\};
my $odd_json = $odd =~ s/(["\\])/\\$1/gr;

my $node = PostgreSQL::Test::Cluster->new('dashboards');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE empty');
for my $database ('postgres', 'empty')
{
	$node->safe_psql($database, 'CREATE EXTENSION pg_apm');
}
$node->safe_psql('postgres', 'CREATE ROLE grafana LOGIN; GRANT apm_reader TO grafana');
$node->safe_psql('postgres', qq{
	SELECT apm.load_demo(1, 4000, '24 hours', '$until');
	SELECT apm.create_project('odd one', 7);
	SELECT sum(r.accepted) FROM generate_series(1, 3) n, LATERAL apm.ingest(convert_to(
		format(E'{"event_id":"%s"}\\n{"type":"transaction"}\\n%s\\n', md5('odd' || n), format(
			'{"type":"transaction","transaction":"GET /odd","start_timestamp":%s,"timestamp":%s,"environment":%s,'
			'"contexts":{"trace":{"trace_id":"%s","span_id":"%s","op":"http.server","status":"ok"}}}',
			1781481600 + n, 1781481600.5 + n, to_json(\$odd\$$odd\$odd\$::text), md5('trace' || n), left(md5('span' || n), 16))), 'UTF8'),
		7, '2026-06-15 00:00:10+00') r;
	-- Two that still fire, and one that has recovered.
	SELECT apm.create_alert('slow checkout', 'p95(duration)', 900002, critical => 1000, time_window => '2 hours', transaction_name => 'POST /api/checkout');
	SELECT apm.create_alert('slow orders', 'p50(duration)', 900002, warning => 50, time_window => '6 hours', transaction_name => 'GET /api/orders');
	SELECT apm.create_alert('busy', 'count()', 900002, warning => 20, time_window => '1 hour');
	SELECT apm.evaluate_alerts('$until'::timestamptz - interval '20 hours', 'slow checkout');
	SELECT apm.evaluate_alerts('$until'::timestamptz - interval '1 hour', 'slow checkout');
	SELECT apm.evaluate_alerts('$until'::timestamptz - interval '3 hours', 'slow orders');
	SELECT apm.evaluate_alerts('$until'::timestamptz - interval '5 hours', 'busy');
	SELECT apm.evaluate_alerts('$until'::timestamptz + interval '2 hours', 'busy')});
# What is rolled up must look like the rows.
$node->safe_psql('postgres', 'SELECT _apm.roll(kind) FROM (SELECT kind FROM _apm.rollup_state OFFSET 0) s')
  if $node->safe_psql('postgres', q{SELECT to_regclass('_apm.rollup_state')});
is($node->safe_psql('postgres', q{SELECT count(*) FROM apm.transactions WHERE project_id = 7}), '3', 'the odd environment is stored');
is($node->safe_psql('postgres', q{SELECT string_agg(rule_name || ' ' || status, ', ' ORDER BY rule_name) FROM apm.incidents}),
	'busy resolved, slow checkout open, slow orders open', 'the incidents of the load');

my $address = sub { "postgresql://$_[0]\@/$_[1]?host=" . $node->host . '&port=' . $node->port };
$ENV{READER} = $address->('grafana', 'postgres');
$ENV{EMPTY} = $address->('grafana', 'empty');
$ENV{OWNER} = $address->($ENV{USER} // 'postgres', 'postgres');
$ENV{ODD} = $odd;
$ENV{UNTIL} = '2026-06-15T12:00:00Z';
$ENV{DASHBOARDS} = getcwd() . '/dashboards/grafana';

my ($out, $err) = ('', '');
my $ok = IPC::Run::run([ 'node', "$work/check.mjs" ], '>', \$out, '2>', \$err, init => sub { chdir $work }, IPC::Run::timeout(400));
ok($ok, 'the checks came to their end') or diag(substr($err, 0, 4000));
my @checks = split /^(?=ok|not ok)/m, $out;
cmp_ok(scalar @checks, '>=', 40, 'all checks ran');
for my $check (@checks)
{
	my ($line, $details) = split /\n/, $check, 2;
	ok($line =~ /^ok - /, $line =~ s/^(not )?ok - //r) or diag($details);
}

$node->stop;
done_testing();
