# Days are compacted by the worker while four connections bring late rows and a
# reader compares what it sees within one snapshot; the worker is killed in the
# middle of it, and so is the whole server.  Nothing is lost, doubled or late.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $lock_timeout_ms = 3000;
my $node = PostgreSQL::Test::Cluster->new('compaction');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', qq{
fsync = off
shared_preload_libraries = 'pg_apm'
pg_apm.databases = ''
pg_apm.compact_time = '50ms'
pg_apm.lock_timeout = '${lock_timeout_ms}ms'
restart_after_crash = on
autovacuum = off
});
$node->start;
$node->safe_psql('postgres', q{
SET client_min_messages = warning;
CREATE EXTENSION pg_apm;
SELECT _apm.make_partition('span_batches', d::date) FROM generate_series(timestamp '2026-01-05', '2026-01-08', '1 day') d;
CREATE FUNCTION public.part(k int, p int, t timestamptz) RETURNS apm.spanset LANGUAGE sql AS $$
  SELECT apm.spanset_agg(ROW(md5('c' || k)::apm.trace_id, lpad(to_hex(k * 100 + p * 10 + i + 1), 16, 'f')::apm.span_id, NULL, NULL, false,
                             'op ' || i, 'SELECT ' || i, 'ok', t - i * interval '1 ms', i + 1, i, 'db', NULL, NULL, NULL)::apm.span)
    FROM generate_series(0, 3) i
$$;
CREATE FUNCTION public.bring(k int, p int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, spans)
    SELECT 1, md5('c' || k)::apm.trace_id, lpad(to_hex(k + 1), 16, 'a')::apm.span_id, t, 'GET /', public.part(k, p, t)
      FROM (SELECT timestamptz '2026-01-05' + k % 4 * interval '1 day' + k % 1440 * interval '1 minute' + p * interval '1 s') x (t)
$$;
SELECT public.bring(k, p) FROM generate_series(0, 3999) k, generate_series(0, 4) p;
});
my $rows = 20000;

# What every span says, and whether each is there once.
my $check = q{SELECT count(*), count(DISTINCT (trace_id, span_id)), sum(duration_ms) FROM apm.spans};
is($node->safe_psql('postgres', $check), "80000|80000|200000", 'before');

# Late rows for one of the days, by four connections, one by one: further parts of its segments.
my $dir = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', 'CREATE SEQUENCE public.late');
append_to_file("$dir/late.sql", "SELECT public.bring((n % 4000)::int, (5 + n / 4000)::int) FROM (SELECT nextval('public.late') * 4) x (n);\n");
append_to_file("$dir/read.sql", q{BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT last_value FROM public.late;
SELECT count(*) AS a, sum(duration_ms) AS b FROM apm.spans \gset
SELECT pg_sleep(0.3);
SELECT 1 / (count(*) = :a AND sum(duration_ms) = :b AND count(*) = count(DISTINCT (trace_id, span_id)))::int FROM apm.spans;
COMMIT;
});
sub background
{
	my ($script, $clients, $seconds) = @_;
	return IPC::Run::start(
		[ 'pgbench', '-n', '-c', $clients, '-T', $seconds, ($clients > 1 ? ('-R', 200, '-l', "--log-prefix=$dir/latency") : ()), '-f', "$dir/$script.sql",
		  '-d', 'postgres', '-h', $node->host, '-p', $node->port ], '>', "$dir/$script.out", '2>', "$dir/$script.err");
}
# Steps of compaction until all four days are done, or the time is over.
sub step { return $node->psql('postgres', 'SELECT result FROM apm.maintain()'); }
my $done = q{SELECT count(*) FROM apm.compactions WHERE state = 'done'};

my $writers = background('late', 4, 15);
my $reader = background('read', 1, 15);
my ($steps, $failed) = (0, '');
my $end = time + 14;
while (time < $end)
{
	my ($ret, $out, $err) = $node->psql('postgres', q{SELECT task || ': ' || result FROM apm.maintain() WHERE result ~ 'failed'});
	$failed .= $out . ($err // '');
	$steps++;
}
$writers->finish;
$reader->finish;
is($failed, '', "no task failed in $steps runs");
is($writers->result(0), 0, 'no writer saw an error') or diag slurp_file("$dir/late.err");
is($reader->result(0), 0, 'a reader sees the same throughout its snapshot, each span once') or diag slurp_file("$dir/read.err");
my ($worst, $n) = (0, 0);
for my $file (glob "$dir/latency*")
{
	for my $line (split /\n/, slurp_file($file))
	{
		my @f = split / /, $line;
		$worst = $f[2] - ($f[6] // 0) if $f[2] - ($f[6] // 0) > $worst;
		$n++;
	}
}
note "$n late rows, the slowest took $worst us; $steps steps, days done: " . $node->safe_psql('postgres', $done);
cmp_ok($worst, '<', $lock_timeout_ms * 1000, 'no writer waited longer than the lock timeout');
my $spans = 80000 + 4 * $n;
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT (trace_id, span_id)), sum(duration_ms) FROM apm.spans'), join('|', $spans, $spans, $spans * 2.5), 'every span is there once');

for (1 .. 200)
{
	last if $node->safe_psql('postgres', $done) eq '4';
	step();
}
is($node->safe_psql('postgres', $done), '4', 'all days are compacted in the end');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT (trace_id, span_id)), sum(duration_ms) FROM apm.spans'), join('|', $spans, $spans, $spans * 2.5), 'and every span is there once');

# A session, the worker and the server, killed while they copy.
$node->safe_psql('postgres', q{TRUNCATE _apm.span_batches; DELETE FROM _apm.compactions;
	SELECT public.bring(k, p) FROM generate_series(0, 3999) k, generate_series(0, 4) p;});
$node->append_conf('postgresql.conf', "pg_apm.compact_time = '1ms'\n");
$node->reload;
for my $round (1 .. 3)
{
	for (1 .. 60)
	{
		step();
		last if $node->safe_psql('postgres', q{SELECT count(*) FROM apm.compactions WHERE state = 'copying' AND copied_until > day}) eq '1';
	}
	is($node->safe_psql('postgres', q{SELECT count(*) FROM apm.compactions WHERE state = 'copying' AND copied_until > day}), '1', "round $round: a copy is under way");
	# its next bucket takes long
	$node->safe_psql('postgres', q{
		CREATE OR REPLACE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END';
		SELECT format('CREATE TRIGGER slow BEFORE INSERT ON _apm.%I FOR EACH ROW EXECUTE FUNCTION public.slow()', _apm.compact_table(day, true))
		  FROM _apm.compactions WHERE state = 'copying' \gexec}) ;
	my $slow = q{SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid <> pg_backend_pid()};
	my $victim;
	if ($round == 2)
	{
		# the worker, whose first round comes at once
		$node->append_conf('postgresql.conf', "pg_apm.databases = '*'\n");
		$node->reload;
	}
	else
	{
		$victim = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT count(*) FROM apm.maintain()' ],
			'>', "$dir/victim.out", '2>', "$dir/victim.err");
	}
	$node->poll_query_until('postgres', $slow =~ s/SELECT pid/SELECT count(*) = 1/r);
	my $pid = $node->safe_psql('postgres', $slow);
	is($node->safe_psql('postgres', "SELECT backend_type LIKE 'pg_apm%' FROM pg_stat_activity WHERE pid = $pid"), $round == 2 ? 't' : 'f',
		"round $round: " . ($round == 2 ? 'the worker' : 'a session') . ' copies');
	if ($round < 3)
	{
		kill 'KILL', $pid;
		$node->append_conf('postgresql.conf', "pg_apm.databases = ''\n");
		$node->poll_query_until('postgres', "SELECT pg_postmaster_start_time() IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
		$node->reload;
	}
	else
	{
		$node->stop('immediate');
		$node->start;
	}
	$victim->finish if $victim;
	is($node->safe_psql('postgres', $check), "80000|80000|200000", "round $round: every span is there once after the crash");
	$node->safe_psql('postgres', 'DROP FUNCTION public.slow() CASCADE');
}
for (1 .. 300)
{
	last if $node->safe_psql('postgres', $done) eq '4';
	step();
}
is($node->safe_psql('postgres', $done), '4', 'compaction went on to its end');
is($node->safe_psql('postgres', $check), "80000|80000|200000", 'with every span once');
is($node->safe_psql('postgres', q{SELECT count(*), sum(rows_before), sum(rows_after) FROM apm.compactions}), "4|20000|4000", 'four days, parts joined');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname ~ '_new$'}), '0', 'nothing is left over');

# Dump and restore, with a copy under way in another day.
$node->safe_psql('postgres', q{SELECT _apm.make_partition('span_batches', '2026-01-09');
	INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, spans)
	SELECT 1, md5('x' || k)::apm.trace_id, '00000000000000aa', t, public.part(k + 5000, p, t)
	  FROM generate_series(0, 99) k, generate_series(0, 4) p, LATERAL (SELECT timestamptz '2026-01-09' + k * interval '10 min' + p * interval '1 s') x (t)});
step() for 1 .. 3;
my $dump = "$dir/dump.sql";
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('copy') ], 'restore');
is($node->safe_psql('copy', $check), $node->safe_psql('postgres', $check), 'the copy has the same spans');
for (1 .. 200)
{
	$node->psql('copy', 'SELECT count(*) FROM apm.maintain()');
	last if $node->safe_psql('copy', $done) eq '5';
}
is($node->safe_psql('copy', $done), '5', 'and goes on compacting');
is($node->safe_psql('copy', $check), $node->safe_psql('postgres', $check), 'without losing any');
$node->stop;
done_testing();
