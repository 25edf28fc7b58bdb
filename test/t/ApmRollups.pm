# Compares rollups with the rows they come from: every cell with plain SQL over
# the rows, every reader with itself when it may read rows only.
package ApmRollups;

use strict;
use warnings;
use Time::HiRes qw(usleep);

# A cell is compared as two texts: its key and its measures.  A second of
# these names would be a cell that is there twice once it is merged.
my %cells = (
	transactions => {
		cells => q{
			SELECT ROW(c.project_id, c.transaction_name, c.op, c.environment, c.release, c.status)::text AS key, c.project_id, c.bucket,
			       ROW(sum(c.n), sum(c.user_rows), sum(c.measured), sum(c.satisfied), sum(c.tolerable), sum(c.frustrated),
			           min(c.first_at), max(c.last_at), apm.sketch_merge(c.sketch), apm.num_values(apm.sketch_merge(c.sketch)),
			           apm.min_value(apm.sketch_merge(c.sketch)), apm.max_value(apm.sketch_merge(c.sketch)),
			           round(apm.sum_value(apm.sketch_merge(c.sketch))::numeric, 3), coalesce(apm.distinct_count(apm.hll_merge(c.users)), 0),
			           coalesce(apm.marked_count(apm.hll_merge(c.users)), 0), coalesce(apm.distinct_count(apm.hll_merge(c.other_users)), 0))::text AS val
			  FROM _apm.transaction_%s c WHERE c.bucket >= %s GROUP BY c.project_id, c.bucket, c.transaction_name, c.op, c.environment, c.release, c.status},
		rows => q{
			SELECT ROW(t.project_id, t.cell_name, t.op, t.environment, t.release, t.status)::text AS key, t.project_id,
			       date_trunc('%s', t.end_time, 'UTC') AS bucket,
			       ROW(count(*), count(t.user_key), count(t.v), count(*) FILTER (WHERE t.v >= 0 AND t.v <= t.limit_ms),
			           count(*) FILTER (WHERE t.v > t.limit_ms AND t.v <= 4 * t.limit_ms), count(*) FILTER (WHERE t.v > 4 * t.limit_ms),
			           min(t.end_time), max(t.end_time), apm.sketch_agg(t.duration_ms), count(t.duration_ms), min(t.duration_ms), max(t.duration_ms),
			           round(sum(t.duration_ms::numeric), 3), count(DISTINCT t.user_key) FILTER (WHERE t.v > 0),
			           count(DISTINCT t.user_key) FILTER (WHERE t.v > 4 * t.limit_ms),
			           count(DISTINCT t.user_key) FILTER (WHERE (t.v > 0) IS NOT TRUE))::text AS val
			  FROM (SELECT x.*, apm.threshold_value(x.project_id, x.name, x.duration_ms, x.measurements) AS v,
			               apm.threshold_ms(x.project_id, x.name) AS limit_ms, load.cell_name('transactions', x.project_id, x.end_time, x.name) FROM apm.transactions x) t
			 WHERE t.stored_xid < (SELECT bound FROM _apm.rollup_state WHERE kind = 'transactions') AND t.end_time >= %s AND t.end_time < %s
			 GROUP BY t.project_id, 3, t.cell_name, t.op, t.environment, t.release, t.status},
		kind => 'transactions' },
	vitals => {
		cells => q{
			SELECT ROW(c.project_id, c.transaction_name, c.op, c.environment, c.release, c.vital)::text AS key, c.project_id, c.bucket,
			       ROW(sum(c.n), sum(c.good), sum(c.meh), sum(c.poor), sum(c.scored), round(sum(c.score) / 1e9, 9), apm.sketch_merge(c.sketch))::text AS val
			  FROM _apm.vital_%s c WHERE c.bucket >= %s GROUP BY c.project_id, c.bucket, c.transaction_name, c.op, c.environment, c.release, c.vital},
		rows => q{
			SELECT ROW(t.project_id, n.cell_name, t.op, t.environment, t.release, m.vital)::text AS key, t.project_id,
			       date_trunc('%s', t.end_time, 'UTC') AS bucket,
			       ROW(count(*), count(*) FILTER (WHERE apm.web_vital_rating(m.vital, m.v) = 'good'),
			           count(*) FILTER (WHERE apm.web_vital_rating(m.vital, m.v) = 'meh'), count(*) FILTER (WHERE apm.web_vital_rating(m.vital, m.v) = 'poor'),
			           count(apm.vital_score(m.vital, m.v, b.browser)), round(coalesce(sum(round(apm.vital_score(m.vital, m.v, b.browser)::numeric, 9)), 0), 9),
			           apm.sketch_agg(m.v))::text AS val
			  FROM apm.transactions t, LATERAL (SELECT t.contexts -> 'browser' ->> 'name') b (browser),
			       LATERAL (SELECT j.key, (j.value ->> 'value')::float8 FROM jsonb_each(t.measurements) j
			                 WHERE j.key IN ('lcp', 'inp', 'cls', 'fcp', 'ttfb', 'fid', 'fp')) m (vital, v),
			       LATERAL load.cell_name('transactions', t.project_id, t.end_time, t.name) n (cell_name)
			 WHERE t.stored_xid < (SELECT bound FROM _apm.rollup_state WHERE kind = 'transactions') AND t.end_time >= %s AND t.end_time < %s
			 GROUP BY t.project_id, 3, n.cell_name, t.op, t.environment, t.release, m.vital},
		kind => 'transactions' },
	# descriptions of queries, requests, caches and queues alone; names of caches alone
	spans => {
		cells => q{
			SELECT ROW(c.project_id, c.transaction_name, c.environment, c.release, c.op, c.category, c.span_group, c.status)::text AS key, c.project_id, c.bucket,
			       ROW(sum(c.n), sum(c.self_us), sum(c.responses), sum(c.redirects), sum(c.client_errors), sum(c.server_errors), sum(c.hits), sum(c.misses),
			           sum(c.sized), sum(c.bytes), sum(c.waited), sum(c.wait_us), min(c.description COLLATE "C"),
			           apm.sketch_merge(c.sketch), apm.sketch_merge(c.self_sketch))::text AS val
			  FROM _apm.span_%s c WHERE c.bucket >= %s
			 GROUP BY c.project_id, c.bucket, c.transaction_name, c.environment, c.release, c.op, c.category, c.span_group, c.status},
		rows => q{
			SELECT ROW(t.project_id, t.cell_name, t.environment, t.release, t.op, t.category, t.span_group, t.status)::text AS key, t.project_id,
			       date_trunc('%s', t.end_time, 'UTC') AS bucket,
			       ROW(count(*), sum(round(t.self_time_ms::numeric * 1000)), count(t.http), count(*) FILTER (WHERE t.http BETWEEN 300 AND 399),
			           count(*) FILTER (WHERE t.http BETWEEN 400 AND 499), count(*) FILTER (WHERE t.http BETWEEN 500 AND 599),
			           count(*) FILTER (WHERE t.attributes -> 'cache.hit' = 'true'), count(*) FILTER (WHERE t.attributes -> 'cache.hit' = 'false'),
			           count(t.attributes -> 'cache.item_size'), coalesce(sum((t.attributes ->> 'cache.item_size')::int), 0),
			           count(t.attributes -> 'messaging.message.receive.latency'), coalesce(sum((t.attributes ->> 'messaging.message.receive.latency')::int), 0) * 1000,
			           min(t.description COLLATE "C") FILTER (WHERE t.is_module), apm.sketch_agg(t.duration_ms), apm.sketch_agg(t.self_time_ms))::text AS val
			  FROM (SELECT b.project_id, b.end_time, b.stored_xid, b.environment, b.release, CASE WHEN s.category = 'cache' THEN load.cell_name('spans', b.project_id, b.end_time, b.transaction_name) END AS cell_name, s.*,
			               (s.attributes ->> 'http.response.status_code')::int AS http,
			               s.category IN ('db', 'cache', 'queue') OR s.category = 'http' AND s.op LIKE 'http.client%%' AS is_module
			          FROM _apm.span_batches b, LATERAL apm.unnest(b.spans) s) t
			 WHERE t.stored_xid < (SELECT bound FROM _apm.rollup_state WHERE kind = 'spans') AND t.end_time >= %s AND t.end_time < %s
			 GROUP BY t.project_id, 3, t.cell_name, t.environment, t.release, t.op, t.category, t.span_group, t.status},
		kind => 'spans' },
	span_totals => {
		cells => q{
			SELECT ROW(c.project_id, c.transaction_name, c.environment, c.release)::text AS key, c.project_id, c.bucket, ROW(sum(c.n), sum(c.self_us))::text AS val
			  FROM _apm.span_total_%s c WHERE c.bucket >= %s GROUP BY c.project_id, c.bucket, c.transaction_name, c.environment, c.release},
		rows => q{
			SELECT ROW(t.project_id, t.cell_name, t.environment, t.release)::text AS key, t.project_id, date_trunc('%s', t.end_time, 'UTC') AS bucket,
			       ROW(count(*), sum(round(t.self_time_ms::numeric * 1000)))::text AS val
			  FROM (SELECT b.project_id, b.end_time, b.stored_xid, b.environment, b.release, load.cell_name('spans', b.project_id, b.end_time, b.transaction_name), s.self_time_ms
			          FROM _apm.span_batches b, LATERAL apm.unnest(b.spans) s) t
			 WHERE t.stored_xid < (SELECT bound FROM _apm.rollup_state WHERE kind = 'spans') AND t.end_time >= %s AND t.end_time < %s
			 GROUP BY t.project_id, 3, t.cell_name, t.environment, t.release},
		kind => 'spans' },
);

# Totals: the same without names and ops.
$cells{transaction_totals} = { %{ $cells{transactions} } };
for my $sql (@{ $cells{transaction_totals} }{qw(cells rows)})
{
	$sql =~ s/[ct]\.(?:transaction_name|cell_name), [ct]\.op, //g;
	$sql =~ s/_apm\.transaction_%s/_apm.transaction_total_%s/;
}

# Since when and until when cells of a width must be there.
my %width = (
	minute => [ 'minutes_since', q{'infinity'} ],
	hour => [ q{'-infinity'}, 'hours_until' ],
	day => [ q{'-infinity'}, 'days_until' ]);

# Everything in which cells differ from rows, in the snapshot of the statement.
# Stale hours are left out, and what retention has left without rows.
sub cells_sql
{
	my @parts;
	for my $name (sort keys %cells)
	{
		my $c = $cells{$name};
		for my $width (qw(minute hour day))
		{
			my ($since, $until) = map { /'/ ? $_ : "(SELECT $_ FROM _apm.rollup_state WHERE kind = '$c->{kind}')" } @{ $width{$width} };
			$since = "greatest($since, coalesce((SELECT kept_since FROM _apm.rollup_floor WHERE kind = '$c->{kind}'), '-infinity'))";
			push @parts, qq{
				SELECT '$name by $width' AS what, bucket, key, c.val AS cell, r.val AS from_rows
				  FROM (} . sprintf($c->{cells}, "${width}s", $since) . ') c FULL JOIN ('
			  . sprintf($c->{rows}, $width, $since, $until) . qq{) r USING (key, project_id, bucket)
				 WHERE c.val IS DISTINCT FROM r.val
				   AND NOT EXISTS (SELECT FROM _apm.stale_hours h
				        WHERE h.kind = '$c->{kind}' AND coalesce(h.project_id, project_id) = project_id
				          AND (h.hour IS NULL OR date_trunc('$width', h.hour, 'UTC') = bucket OR date_trunc('hour', bucket, 'UTC') = h.hour))};
		}
	}
	return 'SELECT * FROM (' . join("\nUNION ALL", @parts) . ') d ORDER BY 1, 2, 3 LIMIT 20';
}

sub prepare
{
	my ($node, $db) = @_;
	$node->safe_psql($db, q{
		CREATE FUNCTION load.cell_name(kind text, project_id int, at timestamptz, name text) RETURNS text LANGUAGE sql STABLE
		  RETURN (SELECT CASE WHEN bool_or(k.name = '<< other >>') AND bool_or(k.name = cell_name.name) IS NOT TRUE AND cell_name.name IS NOT NULL
		                      THEN '<< other >>' ELSE cell_name.name END
		            FROM _apm.kept_names k WHERE k.kind = cell_name.kind AND k.project_id = cell_name.project_id AND k.day = (cell_name.at AT TIME ZONE 'UTC')::date);
		CREATE VIEW load.cell_differences AS } . cells_sql() . q{;
		CREATE VIEW load.too_many_names AS SELECT kind, project_id, day, count(*) FROM _apm.kept_names
		 GROUP BY 1, 2, 3 HAVING count(*) - count(*) FILTER (WHERE name = '<< other >>') > 10});
	return;
}

# What a scheduler would call.
sub maintenance
{
	return ('SELECT _apm.roll(kind) FROM _apm.rollup_state ORDER BY kind', 'SELECT task, result FROM apm.maintain()');
}

# Runs maintenance until compaction has nothing to do; gives what went wrong.
sub settle
{
	my ($node, $db) = @_;
	my $wrong = '';
	my $session = ApmLoad::session($node->connstr($db));
	$session->run("LOAD 'pg_apm'", "SET pg_apm.compact_time = '1min'");
	for my $round (1 .. 1000)
	{
		my ($rows, $state) = $session->run(maintenance());
		$wrong .= "$state $session->{message}\n" if $state ne '00000';
		$wrong .= join "\n", $rows =~ /^(.*\|failed.*)$/mg;
		last if $wrong ne '' || $rows =~ /^compaction: copying\|nothing to do$/m && $rows =~ /^compaction: swapping\|nothing to do$/m;
		# a vacuum of the server's own may take its time
		usleep(100_000) if $rows =~ /waits for older snapshots/;
		$wrong = "maintenance goes on: $rows" if $round == 1000;
	}
	$session->close;
	return $wrong;
}

sub leftovers
{
	return q{SELECT c.oid::regclass FROM pg_class c
	          WHERE c.relkind = 'r' AND c.relnamespace = '_apm'::regnamespace AND c.relname ~ '^(transactions|span_batches|errors)_' AND NOT c.relispartition
	         UNION ALL SELECT inhrelid::regclass FROM pg_inherits WHERE inhdetachpending};
}

sub cells
{
	my ($node, $db) = @_;
	return $node->safe_psql($db, 'SELECT * FROM load.cell_differences');
}

# ---- readers ---------------------------------------------------------------------

my @metrics = ('count()', 'epm()', 'p50(duration)', 'p95(duration)', 'p99(duration)', 'avg(duration)', 'max(duration)', 'sum(duration)', 'min(duration)',
	'failure_rate()', 'failure_count()', 'apdex()', 'apdex(300)', 'apdex(450)', 'user_misery()', 'user_misery(300)', 'count_miserable()',
	'count_unique(user)', 'p75(lcp)', 'p75(cls)', 'avg(lcp)');

sub pick { return $_[ int rand @_ ]; }

# A call of a reader over a random window, with random filters.
sub call
{
	my ($now) = @_;
	my $length = pick(600, 3600, 7200, 21_600, 86_400, 172_800, 604_800) * (1 + int rand 3);
	my $until = $now + 3600 - int rand 500_000;
	my $grid = pick(0.000001, 1, 60, 3600, 3600, 86_400, 86_400);
	$length = $grid if $length < $grid;
	my @bounds = map { sprintf "to_timestamp(%.6f)", $grid * int($_ / $grid) } $until - $length, $until;
	my %args = (since => $bounds[0], until => $bounds[1]);
	my %filter = (
		project_id => sub { pick(1, 1, 2, 3, 4) },
		environment => sub { pick(qw('production' 'staging' 'none')) },
		release => sub { pick(qw('app@1.0' 'app@1.1')) },
		transaction_name => sub { pick("'GET /1'", "'GET /2'", "'GET /17'", "'GET /changed'", "'no'") },
		op => sub { pick(qw('http.server' 'pageload')) });
	my $name = pick(qw(timeseries timeseries metric_value endpoints web_vitals transaction_summary queries requests caches queues pages));
	$args{metric} = "'" . pick(@metrics) . "'" if $name =~ /^(timeseries|metric_value)$/;
	$args{step} = "'" . pick('1 hour', '1 day', '30 minutes', '6 hours', '90 minutes', '7 days') . "'" if $name eq 'timeseries' && rand() < 0.8;
	$args{name} = $filter{transaction_name}->() if $name eq 'transaction_summary';
	$args{threshold_ms} = pick(300, 450) if $name eq 'endpoints' && rand() < 0.2;
	for my $f (sort keys %filter)
	{
		$args{$f} //= $filter{$f}->() if rand() < 0.25;
	}
	# names of other projects may be folded in cells, not so in rows
	$args{project_id} = pick(1, 2) if $name =~ /^(endpoints|pages|caches)$/;
	return ($name, \%args);
}

# What two answers have in common when sums of floats come in another order.
sub normal
{
	my ($text) = @_;
	$text =~ s/(?<![\w.:-])(-?\d+\.\d+(?:e[+-]?\d+)?)(?![\w.:-])/sprintf '%.9g', $1/ge;
	return join "\n", sort split /\n/, $text;
}

# Calls with rollups and without, in one snapshot of a session; gives those
# whose answers differ.  The calls are random, but for those that are given.
sub compare_readers
{
	my ($session, $count, @given) = @_;
	my $differences = '';
	my ($known) = $session->run(q{SELECT proname || ' ' || array_to_string(proargnames[:pronargs], ' ') FROM pg_proc WHERE pronamespace = 'apm'::regnamespace AND pronargs > 0});
	my %arguments = map { my ($name, @args) = split / /; ($name => { map { $_ => 1 } @args }) } grep { / since/ } split /\n/, $known;
	my ($now) = $session->run('SELECT extract(epoch FROM t0) FROM load.base');
	for (1 .. $count)
	{
		my ($name, $args) = call($now);
		next unless @given || $arguments{$name};
		my $sql = shift @given // "SELECT * FROM apm.$name(" . join(', ', map { "$_ => $args->{$_}" } grep { $arguments{$name}{$_} } sort keys %$args) . ') r';
		my ($with, $state) = $session->run('SET LOCAL pg_apm.use_rollups = on', $sql);
		my $message = $session->{message};
		return "$differences$sql: $state $message\n" if $state ne '00000';
		my ($without) = $session->run('SET LOCAL pg_apm.use_rollups = off', $sql);
		$differences .= "$sql\nwith rollups:\n$with\nfrom rows:\n$without\n\n" if normal($with) ne normal($without);
	}
	return $differences;
}

sub readers
{
	my ($node, $db, $count, @given) = @_;
	my $session = ApmLoad::session($node->connstr($db));
	$session->run("LOAD 'pg_apm'", 'BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $differences = compare_readers($session, $count, @given);
	$session->run('COMMIT');
	$session->close;
	return $differences;
}

1;
