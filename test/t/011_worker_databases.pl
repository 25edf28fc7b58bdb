
# Commands that need a database for themselves succeed while a worker serves
# it, and the worker comes back when they are over.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('databases');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_apm'
pg_apm.worker_interval = '200ms'
max_worker_processes = 12
max_prepared_transactions = 2
fsync = off
});
$node->start;

my ($ret, $out, $err);

sub serves
{
	my $db = shift;
	return $node->poll_query_until($db, 'SELECT running AND last_tick IS NOT NULL FROM apm.worker_status');
}

sub served
{
	my ($db, $n) = @_;
	return $node->poll_query_until('postgres',
		qq{SELECT count(*) = $n FROM pg_stat_activity WHERE backend_type = 'pg_apm worker' AND datname = '$db'});
}

sub new_database
{
	my ($db) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
	$node->safe_psql($db, 'CREATE EXTENSION pg_apm');
	return serves($db);
}

# Runs a statement that must succeed at once.
sub succeeds
{
	my ($sql, $what, $db) = @_;
	my ($code, $stdout, $stderr) = $node->psql($db || 'postgres', $sql);
	return ok($code == 0 && $stderr eq '', "$what: $stderr");
}

my $log_before = -s $node->logfile;

ok(new_database('one'), 'a database is served');
succeeds('ALTER DATABASE one RENAME TO two', 'rename');
ok(serves('two'), 'the worker returns under the new name');

succeeds('CREATE DATABASE copied TEMPLATE two', 'use as a template');
ok(serves('two'), 'the worker of the template returns');
ok(serves('copied'), 'and the copy gets one of its own');

succeeds('DROP DATABASE copied', 'drop a database that is served');
ok(served('copied', 0), 'its worker is gone');
ok(serves('two'), 'the other one goes on');

$node->safe_psql('postgres', 'CREATE DATABASE bystander TEMPLATE template0');
succeeds('DROP DATABASE bystander', 'drop a database that has no extension');

succeeds('CREATE DATABASE third TEMPLATE two', 'once more as a template, from inside it', 'two');
ok(serves('third'), 'the copy is served');
succeeds('DROP DATABASE third WITH (FORCE)', 'drop with force');

$node->safe_psql('two', 'CREATE TABLE public.here (i int)');
my $space = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', "CREATE TABLESPACE aside LOCATION '$space'");
succeeds('ALTER DATABASE two SET TABLESPACE aside', 'move to another tablespace');
ok(serves('two'), 'the worker returns from there');

# in a transaction block, and rolled back
succeeds('BEGIN; ALTER DATABASE two RENAME TO four; ROLLBACK', 'a rename that is rolled back');
ok(serves('two'), 'the worker returns under the old name');

# a rename as long as its transaction: the worker stays away, then returns
my $held = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \my $in, '>', \my $held_out, '2>', \my $held_err,
	IPC::Run::timeout(60));
$in = "BEGIN; ALTER DATABASE two RENAME TO five; SELECT 'renamed';\n";
$held->pump until $held_out =~ /renamed/;
ok(served('two', 0), 'no worker while a rename is not committed');
usleep(1_000_000);
ok(served('two', 0), 'still none a while later');
my $holder = $node->safe_psql('postgres', q{
	SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'});
$node->safe_psql('postgres', "SELECT pg_terminate_backend($holder)");
eval { $held->finish };
ok(serves('two'), 'the session dies, the worker returns');

unlike(slurp_file($node->logfile, $log_before), qr/ERROR|PANIC|FATAL:  (?!terminating connection)/,
	'nothing of this is an error in the log');

# ---- commands that fail -------------------------------------------------------

$node->safe_psql('two', 'CREATE ROLE somebody LOGIN; CREATE ROLE maker LOGIN CREATEDB');
my $pid = $node->safe_psql('two', 'SELECT pid FROM apm.worker_status');
($ret, $out, $err) = $node->psql('postgres', 'SET ROLE somebody; DROP DATABASE two');
like($err, qr/must be owner of database two/, 'who is not the owner cannot drop it');
($ret, $out, $err) = $node->psql('postgres', 'SET ROLE maker; CREATE DATABASE stolen TEMPLATE two');
like($err, qr/permission denied to copy database "two"/, 'nor copy it');
($ret, $out, $err) = $node->psql('postgres', 'BEGIN; DROP DATABASE two');
like($err, qr/cannot run inside a transaction block/, 'nor can it be dropped in a transaction block');
is($node->safe_psql('two', 'SELECT pid FROM apm.worker_status'), $pid, 'the worker did not even notice');

# somebody else is connected: the command fails as ever, and the worker returns
my $other = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $node->connstr('two') ], '<', \my $other_in, '>', \my $other_out, '2>', \my $other_err,
	IPC::Run::timeout(60));
$other_in = "SELECT 'connected';\n";
$other->pump until $other_out =~ /connected/;
($ret, $out, $err) = $node->psql('postgres', 'DROP DATABASE two');
like($err, qr/database "two" is being accessed by other users.*There is 1 other session/s,
	'another session still forbids it, and only that one counts');
$other_in = "\\q\n";
$other->finish;
ok(serves('two'), 'the worker returns after a command that failed');

# ---- a worker in the middle of a slow rule -------------------------------------

$node->safe_psql('two', q{
	INSERT INTO apm.projects (project_id, name) VALUES (1, 'shop');
	SELECT apm.create_alert('slow to measure', 'count()', 1, critical => 1000000, every => '1 s');
	ALTER FUNCTION apm.metric_value RENAME TO metric_value_before;
	CREATE FUNCTION apm.metric_value(text, timestamptz, timestamptz, int, text, text, text, text,
	                                 OUT value float8, OUT samples bigint) LANGUAGE plpgsql AS
	$$ BEGIN PERFORM pg_sleep(60); value := 1; samples := 1; END $$});
ok($node->poll_query_until('two', q{
	SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_apm worker' AND datname = 'two' AND wait_event = 'PgSleep'}),
	'the worker is in the middle of a rule');
succeeds('DROP DATABASE two', 'drop it all the same');
ok(served('two', 0), 'the worker is gone');

# ---- prepared transactions, connections not allowed -----------------------------

ok(new_database('six'), 'another database');
$node->safe_psql('six', 'SET client_min_messages = warning; DROP EXTENSION pg_apm');
ok(served('six', 0), 'without the extension no worker');
$node->safe_psql('six', q{BEGIN; CREATE EXTENSION pg_apm; PREPARE TRANSACTION 'later'});
$node->safe_psql('six', q{COMMIT PREPARED 'later'});
$node->safe_psql('six', q{INSERT INTO apm.projects (project_id, name) VALUES (1, 'shop')});
$node->safe_psql('six', q{SELECT apm.create_alert('x', 'count()', 1, critical => 1)});
ok(serves('six'), 'the first rule wakes a worker where CREATE EXTENSION could not');
$node->safe_psql('postgres', 'ALTER DATABASE six ALLOW_CONNECTIONS false');
ok(served('six', 0), 'no worker where connections are not allowed');
$node->safe_psql('postgres', 'DROP DATABASE six');

unlike(slurp_file($node->logfile, $log_before), qr/PANIC|could not finish its round/, 'no failed rounds in the log');

$node->stop;
done_testing();
