
# The worker: when it comes and goes, what it does with rules, what it says.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('worker');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', q{
pg_apm.worker_interval = '200ms'
max_worker_processes = 12
log_min_messages = warning
fsync = off
});
$node->start;

my ($ret, $out, $err);

# ---- not preloaded ---------------------------------------------------------

($ret, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION pg_apm');
is($ret, 0, 'extension is created without a worker');
like($err, qr/NOTICE:  no worker evaluates alert rules in this database: the library pg_apm is not preloaded/,
	'CREATE EXTENSION says so');
like($err, qr/shared_preload_libraries = 'pg_apm'/, 'names the setting');
like($err, qr/SELECT \* FROM apm\.evaluate_alerts\(\)/, 'names the call');
is($node->safe_psql('postgres', 'SELECT running, pid IS NULL, problem FROM apm.worker_status'),
	'f|t|the library pg_apm is not preloaded', 'worker_status without preloading');
($ret, $out, $err) = $node->psql('postgres', q{
	INSERT INTO apm.projects (project_id, name) VALUES (1, 'shop');
	SELECT apm.create_alert('early', 'count()', 1, critical => 0, enabled => false)});
is($ret, 0, 'a rule is created without a worker');
like($err, qr/NOTICE:  no worker.*shared_preload_libraries = 'pg_apm'/s, 'create_alert says that nobody evaluates it');
($ret, $out, $err) = $node->psql('postgres', q{
	SET client_min_messages = warning; BEGIN; DROP EXTENSION pg_apm; CREATE EXTENSION pg_apm; COMMIT; SELECT 1});
is($err, '', 'no notice for who wants none');
$node->safe_psql('postgres', 'DROP EXTENSION pg_apm');

# ---- preloaded -------------------------------------------------------------

$node->append_conf('postgresql.conf', q{shared_preload_libraries = 'pg_apm'});
$node->restart;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_apm launcher'})
  or die 'the launcher did not start';

sub workers
{
	return 'SELECT count(*) = ' . $_[1]
	  . qq{ FROM pg_stat_activity WHERE backend_type = 'pg_apm worker' AND datname = '$_[0]'};
}

# A worker of the database, that has looked at the rules.
sub serves
{
	my $db = shift;
	return $node->poll_query_until($db, 'SELECT running AND last_tick IS NOT NULL FROM apm.worker_status');
}

$node->safe_psql('shop', 'BEGIN; CREATE EXTENSION pg_apm; ROLLBACK');
($ret, $out, $err) = $node->psql('shop', 'CREATE EXTENSION pg_apm');
is($err, '', 'no notice when a worker will come');
ok(serves('shop'), 'the worker appears after CREATE EXTENSION');
ok($node->poll_query_until('postgres', workers('plain', 0)), 'none where the extension is not');
is($node->safe_psql('shop', 'SELECT problem IS NULL, last_error IS NULL, lag IS NULL FROM apm.worker_status'),
	't|t|t', 'worker_status of an idle worker');

# ---- rules -----------------------------------------------------------------

$node->safe_psql('shop', q{
	INSERT INTO apm.projects (project_id, name) VALUES (1, 'shop');
	CREATE TABLE public.transactions_all PARTITION OF apm.transactions FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
	SELECT apm.create_alert('slow', 'p95(duration)', 1, critical => 1000, every => '1 s');
	SELECT apm.create_alert('asleep', 'count()', 1, critical => 0, every => '1 s', enabled => false);
	SELECT apm.create_alert('broken', 'p95(duration)', 1, critical => 1000, every => '1 s');
	UPDATE apm.alert_rules SET project_id = 99 WHERE name = 'broken';
});
ok($node->poll_query_until('shop', q{
	SELECT s.state = 'error' AND s.error = 'project 99 does not exist'
	  FROM apm.alert_states s JOIN apm.alert_rules USING (rule_id) WHERE name = 'broken'}),
	'a rule that fails is in error');

my $log_before = -s $node->logfile;

sub insert_slow
{
	my ($n, $ms) = @_;
	return qq{
		INSERT INTO apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms)
		SELECT 1, gen_random_uuid()::apm.trace_id, '00000000000000a1', 'GET /', now() - interval '1 s', now(), $ms
		  FROM generate_series(1, $n)};
}
($ret, $out, $err) = $node->psql('shop',
	"LISTEN apm_incident;\n" . insert_slow(10, 2500) . ";\n" . q{
DO $$
BEGIN
  FOR i IN 1 .. 1800 LOOP
    EXIT WHEN EXISTS (SELECT FROM apm.incidents);
    PERFORM pg_sleep(0.1);
    COMMIT;
  END LOOP;
END
$$;
SELECT 'waited'});
is($node->safe_psql('shop', q{SELECT rule_name, status, severity, opened_value FROM apm.incidents}),
	'slow|open|critical|2500', 'the worker opens an incident from rows that came in');
like($out, qr/Asynchronous notification "apm_incident" with payload "\{.*"transition": "opened".*\}" received/,
	'NOTIFY apm_incident arrives');
like($out, qr/"incident_id": 1\b/, 'with the incident');
like($out, qr/"rule": "slow"/, 'the rule');
like($out, qr/"state": "firing"/, 'the state');
like($out, qr/"severity": "critical"/, 'the severity');
like($out, qr/"value": 2500\b/, 'and the value');
# the line is written a moment after others can see the incident
my $log = '';
for (1 .. 100)
{
	$log = slurp_file($node->logfile, $log_before);
	last if $log =~ /incident 1 opened/;
	usleep(100_000);
}
like($log, qr/LOG:  incident 1 opened: alert rule "slow" of project 1 is critical: p95\(duration\) is 2500, above 1000\n/,
	'a line in the server log');
unlike($log, qr/CONTEXT|STATEMENT/, 'and only that line');
is($node->safe_psql('shop', q{SELECT count(*) FROM apm.notifications n JOIN apm.incidents USING (incident_id)}),
	'1', 'one row in the outbox');
is($node->safe_psql('shop', q{
	SELECT s.evaluated_at IS NULL FROM apm.alert_states s JOIN apm.alert_rules USING (rule_id) WHERE name = 'asleep'}),
	't', 'a disabled rule is not touched');
like(slurp_file($node->logfile), qr/LOG:  alert rule "broken" cannot be evaluated: project 99 does not exist/,
	'the failing rule is in the log');

# The rows leave the window; nothing but the clock moves here, so delete them.
$node->safe_psql('shop', 'TRUNCATE apm.transactions;' . insert_slow(10, 10));
ok($node->poll_query_until('shop', q{SELECT status = 'resolved' AND resolution = 'recovered' FROM apm.incidents}),
	'the incident resolves');
is($node->safe_psql('shop', q{SELECT string_agg(transition, ',' ORDER BY event_id) FROM apm.incident_events}),
	'opened,resolved', 'it opened once and resolved once');

# ---- a rolled back transition says nothing ----------------------------------

$log_before = -s $node->logfile;
$node->safe_psql('shop', q{
	SELECT apm.create_alert('undone', 'count()', 1, critical => 1, enabled => false);
	BEGIN; SELECT * FROM apm.evaluate_alerts(now(), 'undone'); ROLLBACK;});
unlike(slurp_file($node->logfile, $log_before), qr/incident/, 'no log line for an incident that was rolled back');

# ---- SIGHUP, termination, the launcher --------------------------------------

$node->append_conf('postgresql.conf', q{pg_apm.databases = 'plain, "Other One"'});
$node->reload;
ok($node->poll_query_until('postgres', workers('shop', 0)), 'a database taken from pg_apm.databases loses its worker');
is($node->safe_psql('shop', 'SELECT running, problem FROM apm.worker_status'),
	'f|the setting pg_apm.databases does not name this database', 'worker_status says why');
$node->append_conf('postgresql.conf', q{pg_apm.databases = '*'});
$node->reload;
ok(serves('shop'), 'and gets it back');
($ret, $out, $err) = $node->psql('postgres', q{ALTER SYSTEM SET pg_apm.databases = 'a,,b'});
like($err, qr/invalid value for parameter "pg_apm.databases"/, 'a malformed list is refused');

my $pid = $node->safe_psql('shop', 'SELECT pid FROM apm.worker_status');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('shop', "SELECT running AND pid <> $pid FROM apm.worker_status"),
	'a terminated worker is replaced');
$pid = $node->safe_psql('shop', 'SELECT pid FROM apm.worker_status');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_apm launcher'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pg_apm launcher'}),
	'a terminated launcher is replaced');
is($node->safe_psql('shop', 'SELECT running, pid FROM apm.worker_status'), "t|$pid", 'and keeps the worker that runs');

# ---- DROP EXTENSION ----------------------------------------------------------

$log_before = -s $node->logfile;
$node->safe_psql('shop', 'SET client_min_messages = warning; DROP EXTENSION pg_apm CASCADE');
ok($node->poll_query_until('postgres', workers('shop', 0)), 'the worker leaves after DROP EXTENSION');
$node->safe_psql('shop', 'CREATE EXTENSION pg_apm');
ok(serves('shop'), 'and comes with the next CREATE EXTENSION');
unlike(slurp_file($node->logfile, $log_before), qr/ERROR|FATAL|PANIC|could not finish/, 'without errors in the log');

$node->stop;
done_testing();
