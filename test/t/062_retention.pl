# Days are dropped while four connections ingest and one reads for long: nobody
# waits longer than pg_apm.lock_timeout, and nothing that was acknowledged is
# missing.  The worker does it, too, without being asked.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $lock_timeout_ms = 3000;
my $node = PostgreSQL::Test::Cluster->new('retention');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\npg_apm.lock_timeout = ${lock_timeout_ms}ms\n");
$node->start;
$node->safe_psql('postgres', 'SET client_min_messages = warning; CREATE EXTENSION pg_apm');

# One body that ends at a time, as an SQL expression.
sub body
{
	my ($id, $time) = @_;
	return qq{convert_to(format(
	  E'{"event_id":"%1\$s"}\\n{"type":"transaction"}\\n{"transaction":"GET /","start_timestamp":%2\$s,"timestamp":%2\$s,'
	  || '"contexts":{"trace":{"trace_id":"%1\$s","span_id":"00000000000000aa","op":"http.server","status":"ok"}}}' || E'\\n',
	  md5($id), extract(epoch FROM $time)), 'UTF8')};
}

my $old = body("'old' || g", "now() - g * interval '1 day'");
$node->safe_psql('postgres', qq{
	SET client_min_messages = warning;
	SELECT count(*) FROM (SELECT array_agg($old) AS b FROM generate_series(0, 30) g) s,
	  LATERAL apm.ingest_batch(b, array_fill(1, ARRAY[31]), array_fill(now(), ARRAY[31]))});

# The notice says what the next run will do, and that is what it does.
my ($ret, $out, $err) = $node->psql('postgres', q{SELECT apm.set_retention('spans', '20 days')});
my ($rows, $days, $bytes) = $err =~ /will drop (\d+) rows of spans: (\d+) days, (\d+) bytes/;
is("$rows $days", '10 10', 'the notice counts rows and days');
like($node->safe_psql('postgres', q{SELECT result FROM apm.maintain() WHERE task = 'retention of spans'}),
	qr/^dropped 10 days before \S+: 10 rows, $bytes bytes$/, 'and the next run drops them');

$node->safe_psql('postgres', q{SET client_min_messages = warning;
	SELECT apm.set_retention('spans', '10 days'), apm.set_retention('transactions', '10 days')});

my $script = PostgreSQL::Test::Utils::tempdir . '/ingest.sql';
my $new = body("'new' || random()", 'clock_timestamp()');
$new =~ s/\s*\n\s*/ /g;
append_to_file($script, "SELECT accepted FROM apm.ingest($new, 1);\n");
my $log = PostgreSQL::Test::Utils::tempdir . '/latency';
# Output goes to files: nobody empties a pipe meanwhile.
my $dir = PostgreSQL::Test::Utils::tempdir;
my $bench = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '4', '-T', '12', '-l', "--log-prefix=$log", '-f', $script, '-d', 'postgres',
	  '-h', $node->host, '-p', $node->port ], '>', "$dir/bench", '2>', "$dir/bench_errors");
my $reader = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'BEGIN', '-c', 'SELECT count(*) > 0 FROM apm.transactions',
	  '-c', 'SELECT pg_sleep(5)', '-c', 'COMMIT' ], '>', "$dir/reader");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'pg_sleep.5' AND pid <> pg_backend_pid()});

my %first = split /[|\n]/, $node->safe_psql('postgres', 'SELECT task, result FROM apm.maintain()');
is($first{'retention of transactions'}, 'others held the lock: left to the next run', 'a reader keeps its days');
like($first{'retention of spans'}, qr/^dropped 10 days/, 'what nobody reads is dropped meanwhile');
$reader->finish;
my %second = split /[|\n]/, $node->safe_psql('postgres', 'SELECT task, result FROM apm.maintain()');
like($second{'retention of transactions'}, qr/^dropped 20 days/, 'the next run drops them');
$bench->finish;

is($bench->result(0), 0, 'no connection saw an error') or diag slurp_file("$dir/bench_errors");
my ($worst, $n) = (0, 0);
for my $file (glob "$log*")
{
	for my $line (split /\n/, slurp_file($file))
	{
		my $us = (split / /, $line)[2];
		$worst = $us if $us > $worst;
		$n++;
	}
}
note "$n transactions, the slowest took $worst us";
cmp_ok($worst, '<', $lock_timeout_ms * 1000, 'nobody waited longer than the lock timeout');
is($node->safe_psql('postgres', 'SELECT count(*) FROM apm.transactions WHERE end_time > now() - interval \'1 hour\''), $n + 1,
	'all that was acknowledged is there');
is($node->safe_psql('postgres', q{SELECT count(*) FROM apm.outcomes WHERE outcome <> 'accepted'}), '0', 'nothing was refused');

# A second call while one is under way does nothing.
my $holder = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'BEGIN', '-c', 'SELECT count(*) FROM apm.maintain()',
	  '-c', 'SELECT pg_sleep(30)' ], '>', "$dir/reader");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'pg_sleep.30' AND pid <> pg_backend_pid()});
is($node->safe_psql('postgres', 'SELECT result FROM apm.maintain()'), 'skipped: another session is at it', 'a second call goes away');
$holder->kill_kill;

# The worker.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_apm'\n");
$node->safe_psql('postgres', q{SET client_min_messages = warning; SELECT apm.set_retention('transactions', '5 days')});
$node->restart;
ok($node->poll_query_until('postgres', q{SELECT result ~ '^dropped 5 days' FROM apm.maintenance WHERE task = 'retention of transactions'}),
	'the worker calls apm.maintain()');

# A dump takes what was set along, and what was refused stays so.
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('copy') ], 'restore');
is($node->safe_psql('copy', 'SELECT kind, age FROM apm.retention WHERE age IS NOT NULL ORDER BY 1'), "spans|10 days\ntransactions|5 days",
	'retention came along');
my $late = body("'late'", "now() - interval '15 days'");
is($node->safe_psql('copy', "SELECT rejected, problems -> 0 ->> 'reason' FROM apm.ingest($late, 1)"), '1|retention', 'and is in force');

$node->stop;
done_testing();
