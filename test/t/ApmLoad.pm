# A load for tests that run many sessions at once: what is stored is a pure
# function of a number, so that any session can make a body again, and any
# check can say what must be there.
package ApmLoad;

use strict;
use warnings;

use IPC::Open2;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time usleep);

# ---- what a number stands for ------------------------------------------------

# Of ten bodies six are transactions, two are span containers with their
# segment, one brings more children of the segment before it, and one is an
# error.  Nearly half of the segments are hours or days late, up to five; some
# end exactly on the hour.  Project 3 has more names than it may have cells of.
my $schema = <<'SQL';
CREATE SCHEMA load;
CREATE TABLE load.base AS SELECT date_trunc('hour', now(), 'UTC') AS t0;
CREATE TABLE load.deleted (kind text, id text);
CREATE TABLE load.ranges (range bigint GENERATED ALWAYS AS IDENTITY, writer text, source text, low bigint, high bigint, acked boolean);
CREATE TABLE load.wanted (kind text, id text, range bigint, acked boolean);

-- The same number in [0, n) for the same id and draw.
CREATE FUNCTION load.draw(id bigint, what int, n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
  RETURN (hashint8extended(id, what) & 4503599627370495) % n;
CREATE FUNCTION load.hex(prefix text, id bigint, k int, len int) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN left(md5(prefix || id || '.' || k), len);
CREATE FUNCTION load.segment(id bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
  RETURN CASE WHEN id % 10 = 8 THEN id - 1 ELSE id END;
CREATE FUNCTION load.trace(id bigint) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN load.hex('t', CASE WHEN id % 10 = 1 THEN id - 1 ELSE load.segment(id) END, 0, 32);
CREATE FUNCTION load.children(id bigint) RETURNS int LANGUAGE sql IMMUTABLE
  RETURN CASE id % 10 WHEN 9 THEN 0 WHEN 8 THEN 1 + load.draw(id, 1, 3) ELSE load.draw(id, 1, 5) END;
CREATE FUNCTION load.kind(id bigint) RETURNS text LANGUAGE sql IMMUTABLE
  RETURN CASE WHEN id % 10 <= 5 THEN 'transaction' WHEN id % 10 <= 7 THEN 'container'
              WHEN id % 10 = 8 THEN 'part' ELSE 'error' END;
CREATE FUNCTION load.project(id bigint) RETURNS int LANGUAGE sql IMMUTABLE
  RETURN 1 + load.draw(load.segment(id), 2, 5) / 2;

-- Whole microseconds of a duration, seldom long.
CREATE FUNCTION load.micros(id bigint, k int) RETURNS bigint LANGUAGE sql IMMUTABLE
  RETURN CASE WHEN load.draw(id, 10 + k, 40) = 0 THEN 0
              ELSE (power(load.draw(id, 30 + k, 1000) / 250.0, 5) * 1000)::bigint + load.draw(id, 50 + k, 1000) END;
CREATE FUNCTION load.end_time(id bigint) RETURNS timestamptz LANGUAGE sql STABLE
  RETURN (SELECT CASE WHEN load.draw(s, 3, 30) = 0 THEN date_trunc('hour', t, 'UTC') ELSE t END
            FROM (SELECT load.segment(id)) x (s), load.base,
                 LATERAL (SELECT t0 - make_interval(secs => load.draw(s, 4, 1000003) / 1000003.0 * 6000,
                   hours => CASE load.draw(s, 5, 4) WHEN 0 THEN 17 * load.draw(s, 6, 8)::int WHEN 1 THEN 7 * load.draw(s, 6, 8)::int ELSE 0 END)) y (t));

-- One row a segment, in the terms of apm.transactions.
CREATE FUNCTION load.facts(id bigint, OUT name text, OUT op text, OUT status text, OUT environment text,
                           OUT release text, OUT user_key text, OUT lcp float8, OUT cls float8)
  LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT 'GET /' || load.draw(id, 60, CASE WHEN load.project(id) = 3 THEN 24 ELSE 6 END),
         (ARRAY['http.server', 'pageload', 'queue.process'])[1 + load.draw(id, 60, 6) % 3],
         (ARRAY['ok', 'ok', 'ok', 'ok', 'ok', 'internal_error', 'not_found', NULL])[1 + load.draw(id, 62, 8)],
         (ARRAY['production', 'production', 'production', 'staging', NULL])[1 + load.draw(id, 63, 5)],
         (ARRAY['app@1.0', 'app@1.0', 'app@1.0', 'app@1.1', NULL])[1 + load.draw(id, 64, 5)],
         CASE WHEN load.draw(id, 65, 6) > 0 THEN 'u' || load.draw(id, 66, 60) END,
         CASE WHEN load.draw(id, 60, 6) % 3 = 1 THEN 500 + load.draw(id, 67, 4000) END,
         CASE WHEN load.draw(id, 60, 6) % 3 = 1 THEN load.draw(id, 68, 400) / 1000.0 END;
END;

CREATE FUNCTION load.epoch(t timestamptz, micros bigint) RETURNS numeric LANGUAGE sql IMMUTABLE
  RETURN (extract(epoch FROM t) + micros / 1000000.0)::numeric(20, 6);

-- Children 1 to n of a body, in the terms of a span of a transaction item.
CREATE FUNCTION load.child(id bigint, k int) RETURNS jsonb LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT jsonb_build_object('trace_id', load.trace(id), 'span_id', load.hex('s', id, k, 16),
           'parent_span_id', load.hex('s', load.segment(id), 0, 16),
           'start_timestamp', load.epoch(load.end_time(id), -load.micros(id, k) - 1), 'timestamp', load.epoch(load.end_time(id), -1),
           'status', (ARRAY['ok', 'ok', 'internal_error'])[1 + load.draw(id, 70 + k, 3)])
         || CASE load.draw(id, 80 + k, 5)
              WHEN 0 THEN jsonb_build_object('op', 'db', 'description', 'SELECT * FROM t' || load.draw(id, 90 + k, 3) || ' WHERE id = ' || id,
                                             'data', jsonb_build_object('db.system', 'postgresql'))
              WHEN 1 THEN jsonb_build_object('op', 'cache.get', 'description', 'key',
                                             'data', jsonb_build_object('cache.hit', id % 3 = 0, 'cache.key', ARRAY['k' || id % 4], 'cache.item_size', id % 1000))
              WHEN 2 THEN jsonb_build_object('op', 'queue.publish', 'description', 'q' || id % 2,
                                             'data', jsonb_build_object('messaging.destination.name', 'q' || id % 2, 'messaging.system', 'sqs'))
              WHEN 3 THEN jsonb_build_object('op', 'queue.process', 'description', 'q' || id % 2,
                                             'data', jsonb_build_object('messaging.destination.name', 'q' || id % 2, 'messaging.message.receive.latency', id % 500))
              ELSE jsonb_build_object('op', 'http.client', 'description', 'GET https://api.example.test/v1/' || load.draw(id, 90 + k, 3),
                                      'data', jsonb_build_object('http.response.status_code', 200 + 100 * (id % 4), 'http.request.method', 'GET')) END;
END;

-- A span as one of a container.
CREATE FUNCTION load.v2(span jsonb, id bigint, more jsonb) RETURNS jsonb LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT span - '{op,description,status,timestamp,data}'::text[]
         || jsonb_build_object('name', span -> 'description', 'end_timestamp', span -> 'timestamp', 'is_segment', more IS NOT NULL,
              'status', CASE WHEN span ->> 'status' = 'ok' THEN 'ok' ELSE 'error' END,
              'attributes', (SELECT jsonb_object_agg(key, jsonb_build_object('value', value, 'type',
                    CASE jsonb_typeof(value) WHEN 'number' THEN 'double' WHEN 'boolean' THEN 'boolean' WHEN 'array' THEN 'array' ELSE 'string' END))
                FROM jsonb_each(jsonb_strip_nulls(coalesce(span -> 'data', '{}') || coalesce(more, '{}')
                  || jsonb_build_object('sentry.op', span -> 'op', 'sentry.status', span -> 'status', 'sentry.release', f.release,
                       'sentry.environment', f.environment, 'sentry.segment.name', f.name,
                       'sentry.segment.id', load.hex('s', load.segment(id), 0, 16), 'user.id', f.user_key)))))
    FROM load.facts(load.segment(id)) f;
END;

CREATE FUNCTION load.body(id bigint) RETURNS bytea LANGUAGE plpgsql STABLE AS $$
DECLARE
  f record := load.facts(load.segment(id));
  spans jsonb := coalesce((SELECT jsonb_agg(load.child(id, k)) FROM generate_series(1, load.children(id)) k), '[]');
  t timestamptz := load.end_time(id);
  head text := CASE WHEN load.kind(id) IN ('container', 'part') THEN '{}' ELSE format('{"event_id":"%s"}', load.hex('e', id, 0, 32)) END;
  trace jsonb := jsonb_strip_nulls(jsonb_build_object('trace_id', load.trace(id), 'span_id', load.hex('s', load.segment(id), 0, 16), 'op', f.op, 'status', f.status));
  item jsonb;
BEGIN
  CASE load.kind(id)
  WHEN 'transaction' THEN
    item := jsonb_strip_nulls(jsonb_build_object('type', 'transaction', 'transaction', f.name, 'release', f.release, 'environment', f.environment,
      'start_timestamp', load.epoch(t, -load.micros(id, 0)), 'timestamp', load.epoch(t, 0), 'contexts', jsonb_build_object('trace', trace),
      'user', jsonb_build_object('id', f.user_key), 'spans', spans,
      'measurements', CASE WHEN f.lcp IS NOT NULL THEN jsonb_build_object('lcp', jsonb_build_object('value', f.lcp, 'unit', 'millisecond'),
                                                                          'cls', jsonb_build_object('value', f.cls, 'unit', '')) END));
    RETURN convert_to(head || E'\n{"type":"transaction"}\n' || item || E'\n', 'UTF8');
  WHEN 'error' THEN
    item := jsonb_build_object('exception', '{"values":[{"type":"E","value":"v"}]}'::jsonb, 'timestamp', load.epoch(t, 0), 'contexts', jsonb_build_object('trace', trace));
    RETURN convert_to(head || E'\n{"type":"event"}\n' || item || E'\n', 'UTF8');
  ELSE
    item := (SELECT coalesce(jsonb_agg(load.v2(s, id, NULL)), '[]') FROM jsonb_array_elements(spans) s);
    IF load.kind(id) = 'container' THEN
      item := item || load.v2(jsonb_build_object('trace_id', load.trace(id), 'span_id', load.hex('s', id, 0, 16), 'op', f.op, 'status', f.status,
          'description', f.name, 'start_timestamp', load.epoch(t, -load.micros(id, 0)), 'timestamp', load.epoch(t, 0)), id,
        jsonb_build_object('browser.web_vital.lcp.value', f.lcp, 'browser.web_vital.cls.value', f.cls));
    END IF;
    RETURN convert_to(format(E'%s\n{"type":"span","item_count":%s,"content_type":"application/vnd.sentry.items.span.v2+json"}\n%s\n',
                             head, jsonb_array_length(item), jsonb_build_object('version', 2, 'items', item)), 'UTF8');
  END CASE;
END
$$;

-- Stores bodies low to high, every tenth of them twice.
CREATE FUNCTION load.ingest(low bigint, high bigint, OUT accepted bigint, OUT rejected bigint, OUT skipped bigint)
  LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT sum(r.accepted), sum(r.rejected), sum(r.skipped)
    FROM (SELECT array_agg(load.body(i)) AS b, array_agg(load.project(i)) AS p, array_agg(now()) AS t
            FROM (SELECT i FROM generate_series(low, high) i UNION ALL
                  SELECT i FROM generate_series(low, high) i WHERE load.draw(i, 99, 10) = 0) i) s,
         LATERAL apm.ingest_batch(s.b, s.p, s.t) r;
END;

-- Rows of apm.transactions that no body brings.
CREATE FUNCTION load.rows(low bigint, high bigint) RETURNS SETOF apm.transaction LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT r.*
    FROM generate_series(low, high) i,
         LATERAL load.facts(i) f,
         LATERAL jsonb_populate_record(NULL::apm.transaction, jsonb_build_object(
           'project_id', load.project(i), 'trace_id', load.trace(i), 'span_id', load.hex('s', i, 0, 16), 'name', f.name, 'op', f.op,
           'status', f.status, 'start_time', load.end_time(i) - load.micros(i, 0) * interval '1 us', 'end_time', load.end_time(i),
           'duration_ms', load.micros(i, 0) / 1000.0, 'environment', f.environment, 'release', f.release, 'user_key', f.user_key,
           'measurements', CASE WHEN f.lcp IS NOT NULL THEN jsonb_build_object('lcp', jsonb_build_object('value', f.lcp)) END,
           'span_count', 1)) r;
END;

-- Rows of _apm.span_batches that no body brings: four parts a segment, the
-- first of them with the segment's own span.
CREATE FUNCTION load.batches(low bigint, high bigint) RETURNS TABLE (project_id int, trace_id apm.trace_id, segment_id apm.span_id,
    end_time timestamptz, transaction_name text, environment text, release text, spans apm.spanset) LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT load.project(s), load.trace(s)::apm.trace_id, load.hex('s', s, 0, 16)::apm.span_id, load.end_time(s) - (i - s) * interval '1 ms',
         f.name, f.environment, f.release,
         (SELECT apm.spanset_agg(x)
            FROM generate_series((i > s)::int, load.children(i) + 1) k,
                 LATERAL (SELECT CASE k WHEN 0 THEN jsonb_build_object('op', f.op, 'description', f.name, 'status', f.status) ELSE load.child(i, k) END) c (span),
                 LATERAL jsonb_populate_record(NULL::apm.span, c.span || jsonb_build_object('trace_id', load.trace(s), 'span_id', load.hex('s', i, k, 16),
                   'segment_id', load.hex('s', s, 0, 16), 'parent_span_id', CASE WHEN k > 0 THEN load.hex('s', s, 0, 16) END, 'is_segment', k = 0,
                   'start_time', load.end_time(s) - load.micros(i, k) * interval '1 us', 'duration_ms', load.micros(i, k) / 1000.0,
                   'self_time_ms', load.micros(i, k) / 1000.0, 'category', split_part(c.span ->> 'op', '.', 1), 'attributes', c.span -> 'data',
                   'span_group', CASE WHEN k > 0 THEN load.hex('g', load.draw(i, 90 + k, 4), 0, 16) END)) x)
    FROM generate_series(low, high) i, LATERAL (SELECT i - i % 4) y (s), LATERAL load.facts(s) f;
END;

-- What must be stored of a range: transactions, spans and errors by their ids.
CREATE FUNCTION load.expected(source text, low bigint, high bigint) RETURNS TABLE (kind text, id text) LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT 'transaction', load.hex('s', i, 0, 16) FROM generate_series(low, high) i
   WHERE source IN ('insert', 'copy') OR source = 'ingest' AND load.kind(i) IN ('transaction', 'container')
  UNION ALL
  SELECT 'span', load.hex('s', i, k, 16) FROM generate_series(low, high) i, generate_series(0, load.children(i) + (source = 'batches')::int) k
   WHERE source = 'batches' AND (k > 0 OR i % 4 = 0) OR source = 'ingest' AND load.kind(i) <> 'error' AND (k > 0 OR load.kind(i) <> 'part')
  UNION ALL
  SELECT 'error', load.hex('e', i, 0, 32) FROM generate_series(low, high) i WHERE source = 'ingest' AND load.kind(i) = 'error';
END;

CREATE VIEW load.stored AS
  SELECT 'transaction' AS kind, span_id::text AS id, count(*) AS n FROM apm.transactions GROUP BY 2
  UNION ALL SELECT 'span', span_id::text, count(*) FROM apm.spans GROUP BY 2
  UNION ALL SELECT 'error', replace(event_id::text, '-', ''), count(*) FROM apm.errors GROUP BY 2;

-- Everything about stored rows that is not as it must be: acknowledged and
-- neither there nor deleted, there twice, there though nobody sent it, there
-- though it was deleted, and parts of what one statement stored.
CREATE VIEW load.differences AS
  WITH compared AS MATERIALIZED (
         SELECT kind, id, w.range, coalesce(w.acked, false) AS acked, w.id IS NOT NULL AS tried, coalesce(s.n, 0) AS n, d.id IS NOT NULL AS deleted
           FROM load.wanted w FULL JOIN load.stored s USING (kind, id) FULL JOIN load.deleted d USING (kind, id))
  SELECT CASE WHEN n > 1 THEN 'doubled' WHEN deleted AND n > 0 THEN 'deleted' WHEN NOT tried THEN 'never sent' ELSE 'lost' END AS what, kind, id
    FROM compared WHERE n > 1 OR n > 0 AND (deleted OR NOT tried) OR n = 0 AND acked AND NOT deleted
  UNION ALL
  SELECT 'in part', kind, r.writer || ' ' || r.low || '-' || r.high || ': ' || c.got || ' of ' || c.wanted
    FROM (SELECT kind, range, count(*) AS wanted, count(*) FILTER (WHERE n > 0 OR deleted) AS got FROM compared WHERE tried GROUP BY 1, 2) c
         JOIN load.ranges r USING (range) WHERE c.got NOT IN (0, c.wanted);
SQL

my @days;

# The schema of the load, its projects, and partitions for its days.
sub prepare
{
	my ($node, $db) = @_;
	$node->safe_psql($db, "SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS pg_apm; $schema");
	$node->safe_psql($db, qq{
		SELECT apm.create_project('shop', 1), apm.create_project('api', 2), apm.create_project('names', 3);
		ALTER DATABASE $db SET pg_apm.max_names = 10;
		SELECT _apm.make_partition(t, d::date) FROM unnest('{transactions,span_batches,errors}'::text[]) t,
		       generate_series((SELECT t0 - interval '5 days' FROM load.base), (SELECT t0 FROM load.base) + interval '1 day', '1 day') d});
	@days = split /\n/, $node->safe_psql($db, q{SELECT to_char(d, 'YYYYMMDD') FROM generate_series((SELECT t0 - interval '5 days' FROM load.base), now(), '1 day') d});
	return;
}

# ---- sessions ------------------------------------------------------------------

# A psql that outlives its statements.
sub session
{
	my ($connstr) = @_;
	my $self = bless { connstr => $connstr }, __PACKAGE__;
	$self->connect;
	return $self;
}

sub connect
{
	my ($self) = @_;
	$self->close;
	local %ENV = (%ENV, PGAPPNAME => $self->{name} // 'load', PGOPTIONS => '-c client_min_messages=error');
	open my $stderr, '>&', \*STDERR or die;
	open STDERR, '>', '/dev/null' or die;
	$self->{pid} = open2($self->{out}, $self->{in}, 'psql', '-XAtq', '-d', $self->{connstr});
	open STDERR, '>&', $stderr or die;
	return;
}

sub close
{
	my ($self) = @_;
	return unless $self->{pid};
	CORE::close $self->{in};
	CORE::close $self->{out};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

# Runs statements up to the first error.  Gives rows and SQLSTATE: 00000, or
# 'gone' when the server hung up, which leaves open what became of the statement.
sub run
{
	my ($self, @statements) = @_;
	my $rows = '';
	local $SIG{PIPE} = 'IGNORE';
	for my $sql (@statements)
	{
		my $state;
		print { $self->{in} } "$sql\n;\n\\echo \@\@ :ERROR :SQLSTATE :LAST_ERROR_MESSAGE\n" or return ($rows, 'gone');
		$self->{in}->flush or return ($rows, 'gone');
		while (my $line = readline $self->{out})
		{
			if ($line =~ /^\@\@ (true|false) (\w+) (.*)/)
			{
				($state, $self->{message}) = ($1 eq 'true' ? $2 : '00000', $3);
				last;
			}
			$rows .= $line;
		}
		return ($rows, 'gone') if !$state || $state =~ /^(57P0[1-3]|08...|XX000 server closed.*)$/;
		next if $state eq '00000';
		$self->run('ROLLBACK') unless $sql eq 'ROLLBACK';
		return ($rows, $state);
	}
	chomp $rows;
	return ($rows, '00000');
}

# The server may be down or recovering: come again until it answers.
sub reconnect
{
	my ($self, $seconds) = @_;
	my $end = time + ($seconds // 60);
	while (time < $end)
	{
		$self->connect;
		return 1 if ($self->run('SELECT 1'))[1] eq '00000';
		usleep(100_000);
	}
	return 0;
}

# ---- processes -----------------------------------------------------------------

my %running;

# Runs code in a process of its own, with a file for its notes.  It gets a
# session, a function that notes a line, and a function that says whether to
# go on.
sub spawn
{
	my ($name, $connstr, $stop_file, $code) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . "/$name.notes";
	my $pid = fork // die "fork: $!";
	if ($pid)
	{
		$running{$pid} = [ $name, $file ];
		return $pid;
	}
	my $good = eval {
		srand(unpack('%32C*', $name) * 7919);
		open my $notes, '>>', $file or die "$file: $!";
		$notes->autoflush(1);
		my $session = bless { connstr => $connstr, name => $name }, __PACKAGE__;
		$session->reconnect;
		$code->($session, sub { print $notes join("\t", @_) . "\n" }, sub { !-e $stop_file });
		$session->close;
		1;
	};
	if (!$good && open my $notes, '>>', $file)
	{
		print $notes "died\t$@\n";
	}
	# not exit: the server belongs to the parent
	POSIX::_exit($good ? 0 : 1);
}

# Waits for all processes; their notes as lists of fields behind the name.
sub collect
{
	my ($stop_file) = @_;
	my @notes;
	append_to_file($stop_file, 'stop');
	for my $pid (sort { $a <=> $b } keys %running)
	{
		my ($name, $file) = @{ $running{$pid} };
		waitpid $pid, 0;
		push @notes, [ $name, 'died', "exit $?" ] if $?;
		next unless -e $file;
		push @notes, map { chomp; [ $name, split /\t/ ] } split /^/, slurp_file($file);
	}
	%running = ();
	unlink $stop_file;
	return @notes;
}

# Kills what a failed test leaves behind.
sub abandon
{
	kill 'KILL', keys %running if %running;
	return;
}

# Notes ranges as tried, runs statements, notes them as acknowledged.
# Statements that failed are tried again by the next call, after those of a
# server that went away: these may have been stored.
sub store
{
	my ($session, $note, $kind, $low, $high, @statements) = @_;
	$note->('tried', $kind, $low, $high);
	my $begun = time;
	my ($rows, $state) = $session->run(@statements);
	$note->('took', $kind, int(1000 * (time - $begun)));
	if ($state eq '00000')
	{
		$note->('acked', $kind, $low, $high);
		$note->('stored', $1) if $kind eq 'ingest' && $rows =~ /.*^(\d+\|\d+\|\d+)$/ms;
		return ($state, $rows);
	}
	$note->($state eq 'gone' ? 'gone' : 'error', $kind, $state, $session->{message} // '');
	return ($state, $rows);
}

# Stores ranges of its own one after the other; what was not acknowledged is
# sent again until it is.  Direct statements know no duplicates: after the
# server went away it is open what became of them, and they are left.
sub writer
{
	my ($kind, $low, $most) = @_;
	return sub {
		my ($session, $note, $on) = @_;
		while ($on->())
		{
			my $high = $low + int rand($most // 20);
			my @sql = statements($kind, $low, $high, PostgreSQL::Test::Utils::tempdir . "/$session->{name}");
			my ($state) = store($session, $note, $kind, $low, $high, @sql);
			while ($state ne '00000')
			{
				return if $state eq 'gone' && !$session->reconnect(120);
				last if $state eq 'gone' && $kind ne 'ingest';
				usleep(20_000);
				($state) = store($session, $note, $kind, $low, $high, @sql);
			}
			$low = $high + 1;
			usleep(int rand 30_000);
		}
	};
}

# Does something again and again, as a scheduler would.
sub repeat
{
	my ($what, $pause_us, $code) = @_;
	return sub {
		my ($session, $note, $on) = @_;
		while ($on->())
		{
			my ($rows, $state) = $session->run($code->());
			$note->('error', $what, $state, $session->{message}) if $state !~ /^(00000|gone)$/;
			$note->('result', $what, $rows) if $rows ne '';
			return if $state eq 'gone' && !$session->reconnect(120);
			usleep($pause_us);
		}
	};
}

# Statements that store a range in one of the ways there are.
sub statements
{
	my ($kind, $low, $high, $file) = @_;
	my $rows = $kind eq 'batches' ? "load.batches($low, $high)" : "load.rows($low, $high)";
	my $columns = $kind eq 'batches'
	  ? 'project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans'
	  : 'project_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms, environment, release, user_key, measurements, span_count';
	return "SELECT * FROM load.ingest($low, $high)" if $kind eq 'ingest';
	return "INSERT INTO apm.transactions ($columns) SELECT $columns FROM $rows" if $kind eq 'insert';
	my $table = $kind eq 'batches' ? '_apm.span_batches' : 'apm.transactions';
	return ("COPY (SELECT $columns FROM $rows) TO '$file.copy'", "COPY $table ($columns) FROM '$file.copy'");
}

# Updates or deletes a few rows; load.deleted knows of the latter.  No TRUNCATE:
# it empties a table for older snapshots, too.
sub change
{
	my $some = 'hashtextextended(span_id::text, ' . int(rand 1e6) . ') % 97 = 0';
	my $leaf = '_apm.transactions_' . $days[ rand @days ];
	my @ways = (
		"UPDATE apm.transactions SET duration_ms = duration_ms * 2 WHERE $some",
		"UPDATE apm.transactions SET status = 'unavailable', name = 'GET /changed' WHERE $some",
		"UPDATE apm.transactions SET end_time = end_time + interval '1 hour' WHERE $some AND end_time < now() - interval '1 day'",
		"UPDATE apm.transactions SET project_id = 3 - project_id, user_key = NULL WHERE $some AND project_id < 3",
		"UPDATE $leaf SET measurements = NULL, release = 'app\@1.1' WHERE $some",
		"MERGE INTO apm.transactions t USING (SELECT 1) s ON $some WHEN MATCHED THEN UPDATE SET duration_ms = t.duration_ms + 1",
		"WITH d AS (DELETE FROM apm.transactions WHERE $some RETURNING span_id) INSERT INTO load.deleted SELECT 'transaction', span_id::text FROM d",
		'WITH d AS (DELETE FROM _apm.span_batches WHERE ' . ($some =~ s/span_id/segment_id/r)
		  . " RETURNING spans) INSERT INTO load.deleted SELECT 'span', u.span_id::text FROM d, LATERAL apm.unnest(d.spans) u");
	return $ways[ int rand @ways ];
}

# Tells the database what the sessions were told: each range once, however often
# it was sent.
sub record
{
	my ($node, $db, @notes) = @_;
	my %acked;
	for my $n (@notes)
	{
		my ($name, $what, $source, $low, $high) = @$n;
		$acked{"'$name', '$source', $low, $high"} ||= $what eq 'acked' || 0 if $what =~ /^(acked|tried)$/;
	}
	return unless %acked;
	my $values = join ', ', map { "($_, " . ($acked{$_} ? 'true' : 'false') . ')' } sort keys %acked;
	$node->safe_psql($db, qq{
		WITH r AS (INSERT INTO load.ranges (writer, source, low, high, acked) VALUES $values RETURNING *)
		INSERT INTO load.wanted SELECT e.kind, e.id, r.range, r.acked FROM r, LATERAL load.expected(r.source, r.low, r.high) e;
		ANALYZE load.wanted; ANALYZE load.deleted});
	return;
}

1;
