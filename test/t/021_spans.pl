# Every span of a load, one by one, against what its envelopes say when they
# are read by the server's own JSON functions: after they were stored, after
# COPY in both formats, after a lexicon was learned and the days were compacted,
# and in a restored dump, whose readers and rollups must agree, too.
#
# The loads are bodies of ApmLoad and, where the load generator of the shared
# tools is at hand, APM_SPAN_TRANSACTIONS (2000) transactions of it in each of
# the two formats; of its containers of spans, every third comes as two bodies.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ApmLoad;
use ApmRollups;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $shared = $ENV{APM_SHARED} // '../shared';
my $generator = "$shared/tools/generate-envelopes.mjs";
my $transactions = $ENV{APM_SPAN_TRANSACTIONS} // 2000;
my $generates = -r $generator && system('node --version >/dev/null 2>&1') == 0;
my $dir = PostgreSQL::Test::Utils::tempdir;

my $node = PostgreSQL::Test::Cluster->new('spans');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', q{
fsync = off
autovacuum = off
jit = off
timezone = 'UTC'
work_mem = '128MB'
pg_apm.compact_after = 0
});
$node->start;

# ---- what the envelopes say --------------------------------------------------

# Each has its header, one item and nothing else.  Self times are those among
# the spans of a body; a multirange is the union of the children.
my $truth = q{
	CREATE FUNCTION public.micros(seconds jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT
	  RETURN round((seconds #>> '{}')::numeric * 1000000);
	CREATE FUNCTION public.length(ranges int8multirange) RETURNS bigint LANGUAGE sql IMMUTABLE
	  RETURN (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(ranges) r);

	CREATE TEMP TABLE item AS
	  SELECT id, project_id, split_part(t, E'\n', 2)::jsonb ->> 'type' AS type, split_part(t, E'\n', 3)::jsonb AS j
	    FROM (SELECT id, project_id, convert_from(body, 'UTF8') FROM bodies) b (id, project_id, t);
	CREATE TEMP TABLE found AS
	  WITH spans AS (
	    SELECT id, project_id, j ->> 'transaction' AS transaction_name, j ->> 'environment' AS environment, j ->> 'release' AS release,
	           (j #>> '{contexts,trace,span_id}') AS segment_id, true AS is_segment, j #> '{contexts,trace}' AS s,
	           j ->> 'transaction' AS description, j -> 'start_timestamp' AS since, j -> 'timestamp' AS until, j #>> '{contexts,trace,status}' AS status
	      FROM item WHERE type = 'transaction'
	    UNION ALL
	    SELECT id, project_id, j ->> 'transaction', j ->> 'environment', j ->> 'release', j #>> '{contexts,trace,span_id}', false, s,
	           s ->> 'description', s -> 'start_timestamp', s -> 'timestamp', s ->> 'status'
	      FROM item, jsonb_array_elements(j -> 'spans') s WHERE type = 'transaction'
	    UNION ALL
	    SELECT id, project_id, a ->> 'sentry.segment.name', a ->> 'sentry.environment', a ->> 'sentry.release', a ->> 'sentry.segment.id', (s ->> 'is_segment')::boolean,
	           s || jsonb_build_object('op', a -> 'sentry.op', 'origin', a -> 'sentry.origin', 'data', a),
	           s ->> 'name', s -> 'start_timestamp', s -> 'end_timestamp', CASE s ->> 'status' WHEN 'error' THEN coalesce(a ->> 'sentry.status', 'internal_error') ELSE s ->> 'status' END
	      FROM item, jsonb_array_elements(j -> 'items') s,
	           LATERAL (SELECT jsonb_object_agg(key, value -> 'value') FROM jsonb_each(s -> 'attributes')) x (a) WHERE type = 'span')
	  SELECT id, project_id, transaction_name, environment, release, segment_id, is_segment, description, status, s ->> 'trace_id' AS trace_id, s ->> 'span_id' AS span_id,
	         s ->> 'parent_span_id' AS parent_span_id, s ->> 'op' AS op, s ->> 'origin' AS origin, s -> 'data' AS attributes,
	         public.micros(since) AS since, public.micros(until) AS until
	    FROM spans;
	CREATE TABLE truth AS
	  SELECT project_id, trace_id::apm.trace_id, span_id::apm.span_id, parent_span_id::apm.span_id, segment_id::apm.span_id, is_segment, op, description,
	         status::apm.span_status, timestamptz 'epoch' + since * interval '1 microsecond' AS start_time, (until - since) / 1000::float8 AS duration_ms,
	         (until - since - public.length(c.ranges * int8multirange(int8range(since, until)))) / 1000::float8 AS self_time_ms,
	         CASE WHEN op LIKE 'http.%' THEN 'http' ELSE split_part(op, '.', 1) END AS category,
	         left(md5(apm.normalize_description(op, description, attributes ->> 'db.system')), 16) AS span_group,
	         origin, attributes, transaction_name, environment, release
	    FROM found f
	    LEFT JOIN (SELECT id, parent_span_id, range_agg(int8range(since, until)) FROM found WHERE parent_span_id IS NOT NULL GROUP BY 1, 2) c (id, span_id, ranges)
	         USING (id, span_id);
	ANALYZE truth;};

my $columns = q{project_id, s.trace_id, s.span_id, s.parent_span_id, s.segment_id, s.is_segment, s.op, s.description, s.status, s.start_time, s.duration_ms,
	s.self_time_ms, s.category, s.span_group, s.origin, s.attributes, transaction_name, environment, release};

# How many spans were compared and how many differ; the first of them is said.
sub compare
{
	my ($db, $what, $source) = @_;
	my $join = "truth t FULL JOIN ($source) g USING (project_id, trace_id, span_id)";
	my ($n, $different, $most) = split /\|/, $node->safe_psql($db, "SELECT count(*), count(*) FILTER (WHERE t IS DISTINCT FROM g), (SELECT count(*) FROM truth) FROM $join");
	is("$different of $n", "0 of $most", "$db: $n spans $what")
	  or diag $node->safe_psql($db, "SELECT to_jsonb(t), to_jsonb(g) FROM $join WHERE t IS DISTINCT FROM g LIMIT 1");
	return;
}

# Through a file and into a table of its own.
sub copy
{
	my ($db, $what) = @_;
	for my $format (qw(text binary))
	{
		$node->safe_psql($db, qq{
			CREATE TABLE copied (project_id int, transaction_name text, environment text, release text, spans apm.spanset);
			COPY (SELECT project_id, transaction_name, environment, release, spans FROM _apm.span_batches) TO '$dir/$db.copy' (FORMAT $format);
			COPY copied FROM '$dir/$db.copy' (FORMAT $format)});
		compare($db, "$what, through COPY as $format", "SELECT $columns FROM copied, apm.unnest(spans) s");
		$node->safe_psql($db, 'DROP TABLE copied');
		unlink "$dir/$db.copy";
	}
	return;
}

# Columns by themselves are read in other ways than whole rows, and so is what
# accessors find.
sub parts
{
	my ($db) = @_;
	for my $columns ('op, duration_ms', 'category, self_time_ms', 'description', 'attributes', 'parent_span_id, status, start_time')
	{
		is( $node->safe_psql($db, qq{
				SELECT count(*) FROM (SELECT project_id, trace_id, span_id, $columns FROM truth) t
				  FULL JOIN (SELECT project_id, trace_id, span_id, $columns FROM apm.spans) g USING (project_id, trace_id, span_id)
				 WHERE t IS DISTINCT FROM g}), '0', "$db: $columns alone");
	}
	is( $node->safe_psql($db, q{
			SELECT count(*) FROM truth t
			 WHERE project_id = 1 AND hashint8(duration_ms::bigint) % 50 = 0 AND
			       (SELECT (f).duration_ms FROM (SELECT apm.find_span(b.spans, t.span_id) AS f FROM _apm.span_batches b
			         WHERE b.project_id = t.project_id AND b.trace_id = t.trace_id) x WHERE (f).span_id IS NOT NULL) IS DISTINCT FROM duration_ms}),
		'0', "$db: spans found by their id");
	is( $node->safe_psql($db, q{
			SELECT count(*) FROM (SELECT project_id, op, count(*), sum(duration_ms::numeric) FROM truth GROUP BY 1, 2) t
			  FULL JOIN (SELECT project_id, o.op, count(*), sum(s.duration_ms::numeric)
			               FROM _apm.span_batches, unnest(apm.ops(spans)) o (op), apm.spans_of_op(spans, o.op) s GROUP BY 1, 2) g USING (project_id, op)
			 WHERE t IS DISTINCT FROM g}), '0', "$db: spans of each op");
	return;
}

# What analysts see, with rollups or without; the last digits of sums of
# floats depend on the order of rows.
sub answers
{
	my ($db, $rollups) = @_;
	my $session = ApmLoad::session($node->connstr($db));
	my $answers = '';
	for my $call ('apm.endpoints(since, until)', 'apm.web_vitals(since, until)', 'apm.queries(since, until)', 'apm.requests(since, until)',
		'apm.caches(since, until)', 'apm.queues(since, until)', q{apm.timeseries('p95(duration)', since, until, '1 hour')},
		q{apm.timeseries('count_unique(user)', since, until, '1 day')})
	{
		my ($rows, $state) = $session->run("SET pg_apm.use_rollups = $rollups", qq{
			SELECT r.* FROM (SELECT date_trunc('day', min(start_time)), date_trunc('day', max(start_time)) + interval '2 days' FROM truth) b (since, until), $call r});
		$answers .= "$call $state\n" . ApmRollups::normal($rows) . "\n";
	}
	$session->close;
	return $answers;
}

# ---- the loads -----------------------------------------------------------------

sub agree
{
	my ($got, $expected, $what) = @_;
	my %expected = map { $_ => 1 } split /\n/, $expected;
	ok($got eq $expected, $what) or diag join "\n", grep { defined } (grep { !$expected{$_} } split /\n/, $got)[ 0 .. 4 ];
	return;
}

sub create
{
	my ($db) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	ApmLoad::prepare($node, $db);
	$node->safe_psql($db, "ALTER DATABASE $db RESET pg_apm.max_names");
	$node->safe_psql($db, 'CREATE TABLE bodies (id bigint GENERATED ALWAYS AS IDENTITY, received_at timestamptz DEFAULT now(), project_id int, body bytea)');
	return;
}

sub check
{
	my ($db) = @_;
	is( $node->safe_psql($db, q{
		SET client_min_messages = warning;
		SELECT sum(r.accepted) = (SELECT count(*) FROM bodies), sum(r.rejected), sum(r.skipped), count(*) FILTER (WHERE r.problems <> '[]')
		  FROM (SELECT array_agg(body ORDER BY id), array_agg(project_id ORDER BY id), array_agg(received_at ORDER BY id) FROM bodies GROUP BY id / 500) l (b, p, t),
		       LATERAL apm.ingest_batch(l.b, l.p, l.t) r}),
		't|0|0|0', "$db: all bodies are accepted as they are");
	$node->safe_psql($db, $truth);
	compare($db, 'as stored', "SELECT $columns FROM apm.spans s");
	copy($db, 'as stored');

	is($node->safe_psql($db, 'SELECT _apm.learn_words() IS NOT NULL'), 't', "$db: a lexicon is learned");
	is(ApmRollups::settle($node, $db), '', "$db: days are compacted");
	my ($done, $before, $after) = split /\|/, $node->safe_psql($db, q{SELECT count(*), sum(rows_before), sum(rows_after) FROM apm.compactions WHERE state = 'done'});
	cmp_ok($done, '>=', 4, "$db: $done days, $after rows instead of $before");
	is($node->safe_psql($db, q{
		SELECT count(*) FROM _apm.span_batches b JOIN _apm.compactions c ON c.day = b.end_time::date AND c.state = 'done' WHERE _apm.lexicon_of(b.spans) IS NULL}),
		'0', "$db: all of them packed with the lexicon");
	compare($db, 'after compaction', "SELECT $columns FROM apm.spans s");
	copy($db, 'after compaction');
	parts($db);
	return;
}

sub restore
{
	my ($db) = @_;
	my $state = q{SELECT string_agg(kind, ',' ORDER BY kind), bool_and(usable), sum(tail_rows), sum(stale_hours) FROM apm.rollup_status};
	my $complete = 'spans,transactions|t|0|0';
	is($node->safe_psql($db, $state), $complete, "$db: rollups are complete");
	my $answers = answers($db, 'on');
	agree($answers, answers($db, 'off'), "$db: readers say the same with rollups and without");
	$node->command_ok([ 'pg_dump', '-f', "$dir/dump.sql", '--exclude-table-data=bodies', $node->connstr($db) ], 'pg_dump');
	$node->safe_psql('postgres', "CREATE DATABASE ${db}_copy TEMPLATE template0");
	$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/dump.sql", $node->connstr("${db}_copy") ], 'restore');
	unlink "$dir/dump.sql";
	$db .= '_copy';
	compare($db, 'as restored', "SELECT $columns FROM apm.spans s");
	agree(answers($db, 'on'), $answers, "$db: readers say the same before rolling up");
	is(ApmRollups::settle($node, $db), '', "$db: maintenance");
	is($node->safe_psql($db, $state), $complete, "$db: rollups are complete");
	agree(answers($db, 'on'), $answers, "$db: readers say the same after it");
	agree(answers($db, 'off'), $answers, "$db: from rows as well");
	compare($db, 'after maintenance', "SELECT $columns FROM apm.spans s");
	return;
}

create('various');
$node->safe_psql('various', q{INSERT INTO bodies (project_id, body)
	SELECT load.project(i), load.body(i) FROM generate_series(1, 900) i WHERE load.kind(i) <> 'error' ORDER BY load.draw(i, 1, 1000)});
check('various');

for my $format ($generates ? qw(transaction v2) : ())
{
	create($format);
	system('node', $generator, '--format', 'copy', '--out', "$dir/load.copy", '--truth', "$dir/truth.json",
		'--transactions', $transactions, '--span-format', $format, '--shuffle') == 0 or die 'the generator failed';
	$node->safe_psql($format, "COPY bodies (received_at, project_id, body) FROM '$dir/load.copy'");
	unlink "$dir/load.copy";
	$node->safe_psql($format, q{
		WITH split AS (
		  DELETE FROM bodies WHERE id % 3 = 0 AND position('"type":"span"'::bytea IN body) > 0 RETURNING *)
		INSERT INTO bodies (received_at, project_id, body)
		  SELECT received_at, project_id, convert_to(format(E'%s\n{"type":"span","item_count":%s,"content_type":"application/vnd.sentry.items.span.v2+json"}\n{"version":2,"items":%s}\n',
		           split_part(t, E'\n', 1), count(*), jsonb_agg(s ORDER BY n)), 'UTF8')
		    FROM split, convert_from(body, 'UTF8') t, jsonb_array_elements(split_part(t, E'\n', 3)::jsonb -> 'items') WITH ORDINALITY x (s, n)
		   GROUP BY id, received_at, project_id, t, n % 2}) if $format eq 'v2';
	check($format);
	is( $node->safe_psql($format, qq{
		SELECT (j -> 'totals' ->> 'spans')::int + (j -> 'totals' ->> 'transactions')::int - (SELECT count(*) FROM truth) FROM (SELECT pg_read_file('$dir/truth.json')::jsonb) x (j)}),
		'0', "$format: as many as the generator says");
}
restore($generates ? 'v2' : 'various');

$node->stop;
done_testing();
