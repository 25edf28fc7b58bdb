# The transports of examples/ bring what a real SDK sends: a transaction, a
# span of the application's own and an error, read back in SQL.  Each is left
# out where its SDK is not to be had.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_apm;
	CREATE ROLE app LOGIN;
	GRANT apm_writer TO app;
	SELECT apm.create_project('python', 1);
	SELECT apm.create_project('node', 2)});
$ENV{DATABASE_URL} = 'postgresql://app@/postgres?host=' . $node->host . '&port=' . $node->port;

my $work = PostgreSQL::Test::Utils::tempdir;
$ENV{HOME} = $work;
$ENV{PYTHONDONTWRITEBYTECODE} = 1;

# Runs an example as the role app; true if it says that nothing was dropped.
sub run_app
{
	my ($project, @command) = @_;
	my ($out, $err) = ('', '');
	local $ENV{SENTRY_DSN} =
	  $node->safe_psql('postgres', "SELECT apm.dsn($project, 'localhost')");
	my $ok = IPC::Run::run(\@command, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	is($out, "dropped 0\n", "$command[0] ran and dropped nothing") or diag($err);
	return $ok;
}

# What an application sent, as the SDK and the store say it.
sub check_stored
{
	my ($project, $name, $op, $span_op, $span, $attribute, $type, $value) = @_;
	is($node->safe_psql('postgres', qq{
			SELECT name, op, environment, release ~ '-app\@1\\.0\$', duration_ms >= 20
			  FROM apm.transactions WHERE project_id = $project}),
		"$name|$op|example|t|t", "transaction of project $project");
	is($node->safe_psql('postgres', qq{
			SELECT s.op, s.description, s.attributes -> '$attribute', s.duration_ms >= 19,
			       s.parent_span_id = t.span_id, s.attributes::text LIKE '%[Filtered]%',
			       s.attributes::text LIKE '%never stored%'
			  FROM apm.spans s JOIN apm.transactions t USING (trace_id)
			 WHERE s.project_id = $project AND NOT s.is_segment}),
		"$span_op|$span|" . ($project == 1 ? 2 : 3) . '|t|t|t|f', "its span");
	is($node->safe_psql('postgres', qq{
			SELECT e.type, e.value, e.trace_id = t.trace_id
			  FROM apm.errors e JOIN apm.transactions t USING (project_id) WHERE project_id = $project}),
		"$type|$value|t", "the error in the same trace");
	is($node->safe_psql('postgres', qq{
			SELECT count(*) FROM apm.outcomes WHERE project_id = $project AND outcome IN ('rejected', 'dropped')}),
		'0', "nothing of project $project was refused");
}

SKIP:
{
	my $python = '/usr/bin/python3';
	skip "no $python with sentry_sdk and psycopg", 5
	  if !-x $python || system("$python -c 'import sentry_sdk, psycopg' >/dev/null 2>&1") != 0;
	run_app(1, $python, 'examples/python_app.py');
	check_stored(1, 'send invoice', 'queue.process', 'invoice.render', 'render the invoice',
		'invoice.pages', 'ValueError', 'invoice has no address');
}

SKIP:
{
	skip 'no node of version 18 or newer', 5
	  if system(q{node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' >/dev/null 2>&1}) != 0;
	my $modules = "$work/node";
	my $log = "$modules/npm.log";
	mkdir $modules or die "could not make $modules: $!";
	system("cp examples/*.mjs $modules/") == 0 or die 'could not copy the examples';
	my $installed = system("cd $modules && npm_config_cache=$work/npm timeout 120"
		. ' npm install --no-audit --no-fund --loglevel=error @sentry/node@11 pg@8'
		. " >$log 2>&1");
	note(slurp_file($log)) if $installed != 0;
	skip 'npm does not reach the packages @sentry/node and pg', 5 if $installed != 0;
	run_app(2, 'node', "$modules/node-app.mjs");
	check_stored(2, 'GET /checkout', 'http.server', 'basket.price', 'price of the basket',
		'basket.items', 'TypeError', 'basket is empty');
}

$node->stop;
done_testing();
