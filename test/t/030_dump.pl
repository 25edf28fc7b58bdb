# pg_dump | psql keeps every row, partition, rule and incident, new data can
# be stored in the copy, and pg_upgrade carries the types and operators over.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

my $body = q{convert_to(format(
  E'{"event_id":"%s"}\n{"type":"transaction"}\n{"transaction":"GET /%s","start_timestamp":%s,"timestamp":%s,'
  || '"platform":"javascript","contexts":{"trace":{"trace_id":"%s","span_id":"00000000000000aa","op":"http.server","status":"ok"}},"spans":['
  || '{"trace_id":"%s","span_id":"00000000000000ab","parent_span_id":"00000000000000aa","op":"db","start_timestamp":%s,"timestamp":%s}]}'
  || E'\n', md5('e' || g), g % 5, 1767571200 + g * 3600, 1767571200.5 + g * 3600, md5('t' || g), md5('t' || g),
  1767571200.1 + g * 3600, 1767571200.2 + g * 3600), 'UTF8')};
my $error = q{convert_to(format(
  E'{"event_id":"%s"}\n{"type":"event"}\n{"exception":{"values":[{"type":"E","value":"v"}]},"timestamp":%s,'
  || '"contexts":{"trace":{"trace_id":"%s","span_id":"00000000000000aa"}}}' || E'\n',
  md5('x' || g), 1767571200 + g * 3600, md5('t' || g)), 'UTF8')};

sub ingest
{
	my ($db, $from, $to) = @_;
	return $node->safe_psql($db, qq{
		SET client_min_messages = warning;
		SELECT sum(accepted), sum(rejected), sum(skipped)
		  FROM (SELECT array_agg($body) || array_agg($error) AS b FROM generate_series($from, $to) g) s,
		       LATERAL apm.ingest_batch(b, array_fill(1, ARRAY[cardinality(b)]),
		                                array_fill(now(), ARRAY[cardinality(b)]))});
}

# What must survive, as one line of text a table.
my $state = q{
	SELECT 'transactions', md5(string_agg((to_jsonb(t) - 'stored_xid')::text, E'\n' ORDER BY t.event_id)) FROM apm.transactions t
	UNION ALL SELECT 'spans', md5(string_agg(s::text, E'\n' ORDER BY s.trace_id, s.span_id)) FROM apm.spans s
	UNION ALL SELECT 'errors', md5(string_agg(e::text, E'\n' ORDER BY e.event_id)) FROM apm.errors e
	UNION ALL SELECT 'outcomes', md5(string_agg(o::text, E'\n' ORDER BY o::text)) FROM apm.outcomes o
	UNION ALL SELECT 'seen', md5(string_agg(o::text, E'\n' ORDER BY o::text)) FROM _apm.seen o
	UNION ALL SELECT 'pages and vitals', md5(string_agg(v::text, E'\n' ORDER BY v::text)) FROM _apm.page_vitals v
	UNION ALL SELECT 'projects', md5(string_agg(p::text, E'\n' ORDER BY p::text)) FROM apm.projects p
	UNION ALL SELECT 'keys', md5(string_agg(k::text, E'\n' ORDER BY k::text)) FROM apm.project_keys k
	UNION ALL SELECT 'rules', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.alert_rules r
	UNION ALL SELECT 'states', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.alert_states r
	UNION ALL SELECT 'evaluations', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.alert_evaluations r
	UNION ALL SELECT 'incidents', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.incidents r
	UNION ALL SELECT 'events', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.incident_events r
	UNION ALL SELECT 'notifications', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.notifications r
	UNION ALL SELECT 'formats', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.formats r
	UNION ALL SELECT 'metrics', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.metrics r
	UNION ALL SELECT 'failure rules', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.failure_rules r
	UNION ALL SELECT 'thresholds', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.thresholds r
	UNION ALL SELECT 'sessions', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.sessions r
	UNION ALL SELECT 'check-ins', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.check_ins r
	UNION ALL SELECT 'monitors', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.monitors r
	UNION ALL SELECT 'scrub rules', md5(string_agg(r::text, E'\n' ORDER BY r::text)) FROM apm.scrub_rules r
	UNION ALL SELECT 'partitions', md5(string_agg(c.oid::regclass || pg_get_expr(relpartbound, c.oid), ' ' ORDER BY relname))
	  FROM pg_class c WHERE relispartition AND relkind = 'r'
	UNION ALL SELECT 'indexes', md5(string_agg(indexdef, E'\n' ORDER BY indexname)) FROM pg_indexes WHERE schemaname IN ('apm', '_apm')
	ORDER BY 1};

$node->safe_psql('postgres', 'CREATE EXTENSION pg_apm');
is(ingest('postgres', 1, 60), '120|0|0', 'data before the dump');
is( $node->safe_psql('postgres', 'SELECT _apm.learn_words() IS NOT NULL'), 't', 'a lexicon is learned from it');
is(ingest('postgres', 61, 100), '80|0|0', 'more data before the dump');
my $with_lexicon = 'SELECT count(_apm.lexicon_of(spans)) FROM _apm.span_batches';
is($node->safe_psql('postgres', $with_lexicon), '40', 'which is packed with the lexicon');
is( $node->safe_psql('postgres', q{
	INSERT INTO apm.scrub_rules (kind, expression) VALUES ('key', 'internal*');
	SELECT accepted FROM apm.ingest(convert_to(E'{}\n{"type":"session"}\n'
	  || '{"sid":"7c7b6585f9014a86a7a2c7f6b0a3a7f1","init":true,"started":"2026-01-05T10:00:00Z","status":"ok","attrs":{"release":"r@1"}}'
	  || E'\n{"type":"check_in"}\n'
	  || '{"check_in_id":"83a7c03ed0a04e1b97e2e3b18d38f244","monitor_slug":"nightly","status":"ok","monitor_config":{"schedule":{"type":"interval","value":1,"unit":"day"}}}'
	  || E'\n', 'UTF8'), 1)}), '2', 'a session and a check-in before the dump');
$node->safe_psql('postgres', q{
	SELECT apm.create_alert('slow', 'p95(duration)', 1, critical => 100, time_window => '1 day', enabled => false);
	SELECT * FROM apm.evaluate_alerts('2026-01-06 00:00Z', 'slow');
	INSERT INTO apm.failure_rules VALUES (1, '{internal_error,unavailable}'), (NULL, '{}');
	INSERT INTO apm.thresholds VALUES (1, 'GET /*', 'lcp', 2500);
	SELECT apm.register_metric('slow_share', 'avg((t.duration_ms > {bound_ms})::int)', 'bound_ms positive = 1000', bound => '0')});
is($node->safe_psql('postgres', 'SELECT count(*) FROM apm.incidents'), '1', 'an incident before the dump');
my $before = $node->safe_psql('postgres', $state);

my $dump = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ],
	'psql takes the dump without an error');
is($node->safe_psql('copy', $state), $before, 'everything is there');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dump.custom", '-d', $node->connstr('postgres') ], 'pg_dump of the custom format');
$node->safe_psql('postgres', 'CREATE DATABASE parallel');
$node->command_ok([ 'pg_restore', '--jobs=3', '--exit-on-error', '-d', $node->connstr('parallel'), "$dump.custom" ],
	'pg_restore loads it in parallel without an error');
is($node->safe_psql('parallel', $state), $before, 'everything is there after that, too');
$node->safe_psql('postgres', 'DROP DATABASE parallel');
is($node->safe_psql('copy', $with_lexicon), '0', 'packed so that no lexicon is needed');
is(ingest('copy', 1, 100), '0|0|200', 'what was stored is known in the copy');
is(ingest('copy', 101, 200), '200|0|0', 'new data goes into old and new partitions of the copy');
$node->safe_psql('copy', q{
	SELECT apm.create_alert('second', 'count()', 1, critical => 1, time_window => '1 day', enabled => false);
	SELECT * FROM apm.evaluate_alerts('2026-01-07 00:00Z', 'second')});
is($node->safe_psql('copy', 'SELECT count(DISTINCT incident_id) = 2 FROM apm.incidents'), 't', 'identities go on');
is($node->safe_psql('copy', "SELECT count(*) FROM apm.spans WHERE trace_id = md5('t7')::apm.trace_id"), '2',
	'lookup by trace id in the copy');

# Drop and create again in one session: cached types must not linger.
$node->safe_psql('copy', q{
	SELECT count(*) FROM apm.envelope_transactions('x');
	DROP EXTENSION pg_apm CASCADE;
	CREATE EXTENSION pg_apm;
	SET client_min_messages = warning;
	SELECT count(*) FROM apm.ingest('{}', 1);});
is(ingest('copy', 1, 3), '6|0|0', 'works after DROP and CREATE EXTENSION');
$node->safe_psql('postgres', 'DROP DATABASE copy');
$node->stop;

# pg_upgrade from and to the same version takes the catalogs through.
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
my $bindir = $node->config_data('--bindir');
chdir PostgreSQL::Test::Utils::tempdir;
command_ok(
	[ "$bindir/pg_upgrade", '--no-sync', '-b', $bindir, '-B', $bindir,
	  '-d', $node->data_dir, '-D', $new->data_dir, '-s', $node->host,
	  '-p', $node->port, '-P', $new->port ],
	'pg_upgrade');
$new->start;
is($new->safe_psql('postgres', $state), $before, 'everything is there after pg_upgrade');
is($new->safe_psql('postgres', $with_lexicon), '40', 'with its lexicon');
is($new->safe_psql('postgres', "SET search_path = ''; SELECT count(*) FROM apm.spans WHERE trace_id = md5('t7')::apm.trace_id"),
	'2', 'operators resolve after pg_upgrade');
$new->stop;
done_testing();
