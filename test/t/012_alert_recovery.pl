
# Alerts over a crash, on a standby and its promotion, and through a dump.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_apm'
pg_apm.worker_interval = '200ms'
max_worker_processes = 12
restart_after_crash = on
fsync = off
});
$node->start;

sub serves
{
	my ($server, $db) = @_;
	return $server->poll_query_until($db, 'SELECT running AND last_tick IS NOT NULL FROM apm.worker_status');
}

my $rows = q{
	INSERT INTO apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms)
	SELECT 1, gen_random_uuid()::apm.trace_id, '00000000000000a1', 'GET /', t, t, 2500
	  FROM generate_series(now() - interval '10 s', now() + interval '10 min', '1 s') t;
};

$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_apm;
	INSERT INTO apm.projects (project_id, name) VALUES (1, 'shop');
	CREATE TABLE public.transactions_all PARTITION OF apm.transactions FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
	SELECT apm.create_alert('slow', 'p95(duration)', 1, critical => 1000, every => '1 s');
});
$node->safe_psql('postgres', $rows);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM apm.incidents}), 'an incident is open');
my $opened = $node->safe_psql('postgres', 'SELECT incident_id, opened_at FROM apm.incidents');

# ---- crash --------------------------------------------------------------------

my $evaluated = $node->safe_psql('postgres', 'SELECT max(evaluated_at) FROM apm.alert_evaluations');
$node->stop('immediate');
$node->start;
ok(serves($node, 'postgres'), 'the worker serves after a crash');
ok($node->poll_query_until('postgres', "SELECT max(evaluated_at) > '$evaluated' FROM apm.alert_evaluations"),
	'and goes on evaluating');
is($node->safe_psql('postgres', 'SELECT incident_id, opened_at FROM apm.incidents'), $opened,
	'the incident is the same and the only one');
is($node->safe_psql('postgres', 'SELECT count(*), min(transition) FROM apm.incident_events'), '1|opened',
	'it was opened once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM apm.notifications'), '1', 'and notified once');

# A backend that dies hard takes all down and up again.
my $pid = $node->safe_psql('postgres', 'SELECT pid FROM apm.worker_status');
kill 'KILL', $pid;
$node->poll_query_until('postgres', "SELECT running AND pid <> $pid FROM apm.worker_status");
ok(serves($node, 'postgres'), 'the worker serves after it was killed');
is($node->safe_psql('postgres', 'SELECT incident_id, opened_at FROM apm.incidents'), $opened, 'still the same incident');

# ---- standby --------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', 'SELECT running, problem FROM apm.worker_status'), 'f|the server is a standby',
	'no worker on a standby');
is($standby->safe_psql('postgres', q{SELECT count(*) > 0 FROM apm.preview_alert('slow', now() - interval '3 s', now())}), 't',
	'a preview runs there');
my ($ret, $out, $err) = $standby->psql('postgres', q{SELECT * FROM apm.evaluate_alerts(now(), 'slow')});
like($err, qr/cannot execute .* in a read-only transaction|cannot .* during recovery/, 'an evaluation does not');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_apm%'}), '0',
	'nor is there a launcher');

$node->stop;
$standby->promote;
ok(serves($standby, 'postgres'), 'the worker serves after promotion');
$evaluated = $standby->safe_psql('postgres', 'SELECT max(evaluated_at) FROM apm.alert_evaluations');
ok($standby->poll_query_until('postgres', "SELECT max(evaluated_at) > '$evaluated' FROM apm.alert_evaluations"),
	'and goes on evaluating');
is($standby->safe_psql('postgres', 'SELECT incident_id, opened_at FROM apm.incidents'), $opened, 'the incident came along');

# ---- dump and restore --------------------------------------------------------------

$standby->append_conf('postgresql.conf', q{pg_apm.databases = 'restored'});
$standby->reload;
$standby->poll_query_until('postgres', 'SELECT NOT running FROM apm.worker_status');
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
$standby->command_ok([ 'pg_dump', '-f', $dump, $standby->connstr('postgres') ], 'pg_dump');
$standby->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$standby->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $standby->connstr('restored') ], 'restore');
ok(serves($standby, 'restored'), 'a worker serves the restored database');
is($standby->safe_psql('restored', 'SELECT incident_id, opened_at FROM apm.incidents'), $opened, 'the incident is there');
my $count = 'SELECT (SELECT count(*) FROM apm.alert_rules), (SELECT count(*) FROM apm.alert_states),
  (SELECT count(*) FROM apm.incident_events), (SELECT count(*) FROM apm.notifications)';
is($standby->safe_psql('restored', $count), $standby->safe_psql('postgres', $count), 'rules, states, events and outbox too');
is($standby->safe_psql('restored', 'SELECT count(*) FROM apm.alert_evaluations WHERE evaluated_at <= '
			. q{(SELECT max(evaluated_at) FROM apm.alert_evaluations)}) >= $standby->safe_psql('postgres',
		'SELECT count(*) FROM apm.alert_evaluations'), 1, 'every evaluation');
$standby->safe_psql('restored', 'TRUNCATE apm.transactions');
$standby->safe_psql('restored', q{SELECT apm.alter_alert('slow', no_data => 'ok')});
ok($standby->poll_query_until('restored', q{SELECT status = 'resolved' FROM apm.incidents}),
	'the restored incident resolves');
$standby->safe_psql('restored', q{SELECT apm.create_alert('next', 'count()', 1, critical => -1, every => '1 s')});
ok($standby->poll_query_until('restored', q{SELECT count(*) = 2 AND max(incident_id) > 1 FROM apm.incidents}),
	'sequences go on after those restored');

$standby->stop;
done_testing();
