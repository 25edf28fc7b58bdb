# What SQL says of a generated load must equal the generator's own account of
# it: counts, failure rate, Apdex and users exactly, percentiles within 1 %.
# Then an alert rule over the load opens one incident when the slowness begins
# and resolves it with a second, healthy load.  Needs the load generator of
# the shared tools and node; skipped without them.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $shared = $ENV{APM_SHARED} // '../shared';
my $generator = "$shared/tools/generate-envelopes.mjs";
if (!-r $generator || system('node --version >/dev/null 2>&1') != 0)
{
	plan skip_all => 'load generator or node is missing';
}

my $node = PostgreSQL::Test::Cluster->new('truth');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\ntimezone = 'UTC'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_apm');

my $dir = PostgreSQL::Test::Utils::tempdir;

# Generates a load and stores it; returns the path of its ground truth.
sub load
{
	my ($db, $name, @options) = @_;
	system('node', $generator, '--format', 'copy', '--out', "$dir/$name.copy",
		'--truth', "$dir/$name.json", @options) == 0
	  or die 'the generator failed';
	$node->safe_psql($db, qq{
		SET client_min_messages = warning;
		CREATE TABLE load_$name (id bigint GENERATED ALWAYS AS IDENTITY, received_at timestamptz, project_id int, body bytea);
		COPY load_$name (received_at, project_id, body) FROM '$dir/$name.copy';
		CREATE TABLE result_$name AS
		SELECT r.* FROM (SELECT array_agg(body ORDER BY id) b, array_agg(project_id ORDER BY id) p,
		                        array_agg(received_at ORDER BY id) t
		                   FROM load_$name GROUP BY id / 500 ORDER BY id / 500) l,
		     LATERAL apm.ingest_batch(l.b, l.p, l.t) r;
		CREATE TABLE truth_$name AS SELECT pg_read_file('$dir/$name.json')::jsonb AS t;});
	return;
}

# Everything that differs between the stored rows and the ground truth.
sub differences
{
	my ($db, $name) = @_;
	return $node->safe_psql($db, qq{
		WITH truth AS (
			SELECT e->>'service' AS service, e->>'transaction' AS name, e->>'op' AS op, e,
			       (t->'projects'->(e->>'service')->>'project')::int AS project_id
			  FROM truth_$name, jsonb_array_elements(t->'endpoints') e),
		got AS (
			SELECT project_id, name, op, count(*) AS n,
			       count(*) FILTER (WHERE status NOT IN ('ok', 'cancelled', 'unknown')) AS naive_failures,
			       apm.failure_count(status) AS failures, apm.failure_rate(status) AS failure_rate,
			       apm.apdex(duration_ms, 300) AS apdex, apm.count_unique(user_key) AS users,
			       apm.p50(duration_ms) AS p50, apm.p75(duration_ms) AS p75,
			       apm.p95(duration_ms) AS p95, apm.p99(duration_ms) AS p99,
			       min(duration_ms) AS lo, max(duration_ms) AS hi, sum(span_count - 1) AS spans
			  FROM apm.transactions GROUP BY 1, 2, 3)
		SELECT project_id, name, op, d.what, d.want, d.got
		  FROM truth FULL JOIN got USING (project_id, name, op),
		       LATERAL (VALUES
		         ('count', (e->>'count')::float8, n::float8, 0.0),
		         ('failures', (e->>'failures')::float8, failures, 0),
		         ('naive failures', (e->>'failures')::float8, naive_failures, 0),
		         ('failure_rate', (e->>'failure_rate')::float8, round(failure_rate::numeric, 6)::float8, 0),
		         ('apdex', (e->>'apdex_300')::float8, round(apdex::numeric, 6)::float8, 0),
		         ('users', (e->>'unique_users')::float8, users, 0),
		         ('min', (e->>'min')::float8, lo, 0),
		         ('max', (e->>'max')::float8, hi, 0),
		         ('spans', (e->>'child_spans')::float8, spans, 0),
		         ('p50', (e->>'p50')::float8, p50, 0.01),
		         ('p75', (e->>'p75')::float8, p75, 0.01),
		         ('p95', (e->>'p95')::float8, p95, 0.01),
		         ('p99', (e->>'p99')::float8, p99, 0.01)) d(what, want, got, tolerance)
		 WHERE NOT coalesce(abs(d.want - d.got) <= d.tolerance * abs(d.want), false)
		 ORDER BY 1, 2, 4});
}

load('postgres', 'first', '--count', '5000');
is(differences('postgres', 'first'), '', 'endpoints equal the ground truth');
is( $node->safe_psql('postgres', q{
	SELECT (SELECT count(*) FROM apm.transactions) = (t->'totals'->>'transactions')::int,
	       (SELECT count(*) FROM apm.spans WHERE NOT is_segment) = (t->'totals'->>'spans')::int,
	       (SELECT count(*) FROM apm.errors) = (t->'totals'->>'errors')::int,
	       (SELECT count(DISTINCT trace_id) FROM apm.transactions) = (t->'totals'->>'traces')::int,
	       (SELECT apm.count_unique(user_key) FROM apm.transactions) = (t->'totals'->>'unique_users')::int,
	       (SELECT sum(accepted) FROM result_first) = (t->'totals'->>'envelopes')::int,
	       (SELECT count(*) FROM result_first WHERE rejected > 0 OR skipped > 0)
	  FROM truth_first}),
	't|t|t|t|t|t|0', 'totals equal the ground truth');
is( $node->safe_psql('postgres', q{
	SELECT key, v->>'count', n, round((v->>'total_ms')::numeric, 3), ms
	  FROM truth_first, jsonb_each(t->'span_ops') AS j(key, v)
	  FULL JOIN (SELECT op, count(*) AS n, round(sum(duration_ms)::numeric, 3) AS ms
	               FROM apm.spans WHERE NOT is_segment GROUP BY op) s ON s.op = key
	 WHERE (v->>'count')::int IS DISTINCT FROM n OR round((v->>'total_ms')::numeric, 3) IS DISTINCT FROM ms}),
	'', 'span operations equal the ground truth');

# The alert of the regression, evaluated hourly by hand.
$node->safe_psql('postgres', q{
	SELECT apm.create_alert('slow checkout', 'p95(duration)', 2, critical => 1000, time_window => '1 day',
	                        every => '1 hour', transaction_name => 'POST /api/checkout', enabled => false)});
my $hourly = q{
	SELECT count(*) FROM generate_series('%s'::timestamptz, '%s', '1 hour') at,
	       LATERAL apm.evaluate_alerts(at, 'slow checkout')};
$node->safe_psql('postgres', sprintf($hourly, '2026-01-06 00:00Z', '2026-01-09 04:00Z'));
is($node->safe_psql('postgres', 'SELECT count(*) FROM apm.incidents'), '0', 'no incident before the regression');
$node->safe_psql('postgres', sprintf($hourly, '2026-01-09 05:00Z', '2026-01-12 00:00Z'));
my $incidents = q{SELECT count(*), bool_and(opened_at BETWEEN '2026-01-09 04:48Z' AND '2026-01-10 04:48Z'),
                         count(resolved_at) FROM apm.incidents};
is($node->safe_psql('postgres', $incidents), '1|t|0', 'one incident within a day of the regression');
$node->safe_psql('postgres', sprintf($hourly, '2026-01-06 00:00Z', '2026-01-12 00:00Z'));
is($node->safe_psql('postgres', $incidents), '1|t|0', 'repeating the evaluations changes nothing');

load('postgres', 'second', '--start', '2026-01-12T00:00:00Z', '--span-of-time', '3d',
	'--regression-at', 'none', '--seed', '2', '--count', '2500');
$node->safe_psql('postgres', sprintf($hourly, '2026-01-12 01:00Z', '2026-01-15 00:00Z'));
is($node->safe_psql('postgres', $incidents), '1|t|1', 'the same incident resolves');
$node->safe_psql('postgres', sprintf($hourly, '2026-01-06 00:00Z', '2026-01-15 00:00Z'));
is($node->safe_psql('postgres', $incidents), '1|t|1', 'repeating everything changes nothing');

# Everything once more: stored once.
is( $node->safe_psql('postgres', q{
	WITH again AS (
		SELECT r.* FROM (SELECT array_agg(body) b, array_agg(project_id) p, array_agg(received_at) t
		                   FROM load_first GROUP BY id / 700) l,
		     LATERAL apm.ingest_batch(l.b, l.p, l.t) r)
	SELECT sum(accepted), sum(rejected), sum(skipped) = (SELECT count(*) FROM load_first) FROM again}),
	'0|0|t', 'a repeated load is skipped whole');

# Span containers, out of order and with every tenth twice, give the same.
for my $variant (
	[ 'v2', '--span-format', 'v2' ],
	[ 'v2dup', '--span-format', 'v2', '--shuffle', '--duplicates', '0.1' ],
	[ 'dup', '--shuffle', '--duplicates', '0.1' ])
{
	my ($name, @options) = @$variant;
	$node->safe_psql('postgres', "CREATE DATABASE d_$name");
	$node->safe_psql("d_$name", 'CREATE EXTENSION pg_apm');
	load("d_$name", $name, '--count', '1500', @options);
	is(differences("d_$name", $name), '', "ground truth of the load $name");
	is( $node->safe_psql("d_$name", qq{
		SELECT (SELECT count(*) FROM apm.transactions) = (t->'totals'->>'transactions')::int,
		       (SELECT count(*) FROM apm.spans WHERE NOT is_segment) = (t->'totals'->>'spans')::int,
		       (SELECT sum(skipped) FROM result_$name)
		         = (t->'totals'->>'envelopes_written')::int - (t->'totals'->>'envelopes')::int
		  FROM truth_$name}),
		't|t|t', "totals of the load $name");
	is( $node->safe_psql("d_$name", qq{
		SELECT v.what, v.expected, v.counted FROM
		  (SELECT sum(n) AS items FROM load_$name, LATERAL (SELECT count(*) AS n FROM apm.envelope_items(body)) i) came,
		  (SELECT sum(accepted) AS a, sum(rejected) AS r, sum(skipped) AS s FROM result_$name) said,
		  LATERAL (SELECT coalesce(sum(quantity) FILTER (WHERE category = 'item'), 0) AS items,
		                  coalesce(sum(quantity) FILTER (WHERE category = 'item' AND outcome = 'accepted'), 0) AS a,
		                  coalesce(sum(quantity) FILTER (WHERE category = 'item' AND outcome = 'rejected'), 0) AS r,
		                  coalesce(sum(quantity) FILTER (WHERE category = 'item' AND outcome = 'skipped'), 0) AS s,
		                  coalesce(sum(quantity) FILTER (WHERE category = 'transaction' AND outcome = 'accepted'), 0) AS transactions,
		                  coalesce(sum(quantity) FILTER (WHERE category = 'span' AND outcome = 'accepted'), 0) AS spans,
		                  coalesce(sum(quantity) FILTER (WHERE category = 'error' AND outcome = 'accepted'), 0) AS errors,
		                  coalesce(sum(quantity) FILTER (WHERE outcome IN ('dropped', 'rejected')), 0) AS lost
		             FROM apm.outcomes) o,
		  LATERAL (VALUES ('items', came.items, o.items), ('accepted', said.a, o.a), ('rejected', said.r, o.r), ('skipped', said.s, o.s),
		                  ('transactions', (SELECT count(*) FROM apm.transactions), o.transactions), ('spans', (SELECT count(*) FROM apm.spans), o.spans),
		                  ('errors', (SELECT count(*) FROM apm.errors), o.errors), ('lost', 0, o.lost)) v(what, expected, counted)
		 WHERE v.expected <> v.counted}),
		'', "accounts of the load $name");
}

$node->stop;
done_testing();
