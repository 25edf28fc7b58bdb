# Rollups equal the rows at every moment: four sessions store in all the ways
# there are, early and late data; others change and delete rows, roll up, do
# maintenance and change settings, while one compares every cell with the rows
# and every reader with itself, in one snapshot each time.
#
# APM_INVARIANT_SECONDS says how long; the default is short.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ApmLoad;
use ApmRollups;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $seconds = $ENV{APM_INVARIANT_SECONDS} // 6;

my $node = PostgreSQL::Test::Cluster->new('invariant');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', q{
max_prepared_transactions = 10
pg_apm.compact_after = 0
pg_apm.compact_time = '20ms'
pg_apm.lock_timeout = '4s'
log_min_messages = warning
timezone = 'UTC'
fsync = off
});
$node->start;
ApmLoad::prepare($node, 'postgres');
ApmRollups::prepare($node, 'postgres');

my $stop = PostgreSQL::Test::Utils::tempdir . '/stop';
my $connstr = $node->connstr('postgres');
my $begun = time;

# Stores as ApmLoad::writer does, with transactions of every kind: short and
# long ones, savepoints, ones that are rolled back and ones in two phases.
sub transactor
{
	my ($source, $low, $most) = @_;
	return sub {
		my ($session, $note, $on) = @_;
		while ($on->())
		{
			my $high = $low + int rand $most;
			my @sql = ApmLoad::statements($source, $low, $high, PostgreSQL::Test::Utils::tempdir . "/$session->{name}");
			my @other = ApmLoad::statements($source, $high + 500_000, $high + 500_009, PostgreSQL::Test::Utils::tempdir . "/$session->{name}");
			my $way = int rand 12;
			my $pause = sprintf 'SELECT pg_sleep(%.2f)', rand 1;
			@sql = $way == 0 ? ('BEGIN', @sql, $pause, 'COMMIT')
			  : $way == 1 ? ('BEGIN', @other, 'ROLLBACK', @sql)
			  : $way == 2 ? ('BEGIN', 'SAVEPOINT a', @other, 'ROLLBACK TO a', 'SAVEPOINT b', @sql, 'RELEASE b', 'COMMIT')
			  : $way == 3 ? ('BEGIN', 'SELECT pg_current_xact_id()', $pause, @sql, 'COMMIT')
			  : $way == 4 ? ('BEGIN', @sql, "PREPARE TRANSACTION '$session->{name}'", $pause, "COMMIT PREPARED '$session->{name}'")
			  : $way == 5 ? ('BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM load.base', $pause, @sql, 'COMMIT')
			  : $way == 6 ? ('BEGIN', @sql, "UPDATE apm.transactions SET duration_ms = duration_ms + 1 WHERE span_id = load.hex('s', $low, 0, 16)::apm.span_id", 'COMMIT')
			  : $way == 7 ? ('BEGIN', @sql, ApmLoad::change(), "SELECT _apm.roll('transactions', '-infinity')", $pause, 'COMMIT')
			  : @sql;
			my ($state) = ApmLoad::store($session, $note, $source, $low, $high, @sql);
			$low = $high + 1;
			usleep(int rand 40_000);
		}
	};
}

# Rolls up; the clock of the roller runs through the days of the data, so that
# hours and days close while rows come in.
sub roll
{
	my $share = (time - $begun) / $seconds;
	my $at = sprintf "(SELECT t0 - interval '5 days' * greatest(0, 1 - %.4f) FROM load.base)", $share * 1.8;
	my @sql = ("SELECT _apm.roll(kind, $at) FROM _apm.rollup_state ORDER BY kind");
	push @sql, 'SELECT task, result FROM apm.maintain()' if $share > 0.5;
	push @sql, "SELECT apm.rebuild_rollups(1, (SELECT t0 - interval '1 day' FROM load.base), (SELECT t0 FROM load.base))" if rand() < 0.03;
	return @sql;
}

# Thresholds, rules of failure; a second roller, and one with an old snapshot.
sub settings
{
	return ('BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM load.base', 'SELECT pg_sleep(0.2)',
		'SELECT apm.rebuild_rollups(1)', 'COMMIT') if rand() < 0.2;
	my $ms = 200 + int rand 400;
	return ApmRollups::pick(
		"INSERT INTO apm.thresholds VALUES (1 + $ms % 2, 'GET /1', 'duration', $ms) ON CONFLICT DO NOTHING",
		"INSERT INTO apm.thresholds VALUES (1 + $ms % 2, 'GET /*', 'lcp', $ms * 5) ON CONFLICT DO NOTHING",
		'DELETE FROM apm.thresholds',
		"SELECT _apm.roll('transactions', '-infinity')",
		"INSERT INTO apm.failure_rules VALUES (1 + $ms % 2, '{not_found,internal_error}') ON CONFLICT DO NOTHING",
		'DELETE FROM apm.failure_rules');
}

# Compares, and notes what differs.
sub checker
{
	my ($session, $note, $on) = @_;
	$session->run("LOAD 'pg_apm'");
	do
	{
		$session->run('BEGIN ISOLATION LEVEL REPEATABLE READ');
		my ($rows, $state) = $session->run('SELECT * FROM load.cell_differences');
		$note->('error', 'cells', $state, $session->{message}) if $state ne '00000';
		my $readers = ApmRollups::compare_readers($session, 8);
		$session->run('COMMIT');
		$note->('checked', length $rows + length $readers);
		$note->('differs', "cells: $_") for grep { $_ ne '' } split /\n/, $rows;
		$note->('differs', "reader: $_") for split /\n/, $readers;
		usleep(int rand 400_000);
	} while ($on->());
	return;
}

sub nothing
{
	my ($when) = @_;
	is($node->safe_psql('postgres', 'SELECT * FROM load.differences LIMIT 20'), '', "every row is there once $when");
	is(ApmRollups::cells($node, 'postgres'), '', "every cell equals its rows $when");
	return;
}

# ---- under load ------------------------------------------------------------------

my @writers = ([ 'ingest', 20 ], [ 'ingest', 3 ], [ 'insert', 30 ], [ 'copy', 40 ], [ 'batches', 20 ]);
ApmLoad::spawn("writer$_", $connstr, $stop, transactor($writers[$_][0], 1_000_000 * ($_ + 1), $writers[$_][1])) for 0 .. $#writers;
ApmLoad::spawn('changer', $connstr, $stop, ApmLoad::repeat('change', 150_000, \&ApmLoad::change));
ApmLoad::spawn('roller', $connstr, $stop, ApmLoad::repeat('roll', 20_000, \&roll));
ApmLoad::spawn('settings', $connstr, $stop, ApmLoad::repeat('settings', 400_000, \&settings));
ApmLoad::spawn('checker', $connstr, $stop, \&checker);
ApmLoad::spawn('reader', $connstr, $stop, \&checker);
sleep $seconds;
my @notes = ApmLoad::collect($stop);
ApmLoad::record($node, 'postgres', @notes);

# An UPDATE that meets a row which another moved to another day fails in any
# isolation level: the server does not follow it there.
is(join("\n", map { "@$_" } grep { $_->[1] =~ /^(error|died|gone)$/
		&& "@$_" !~ /^settings error settings 40001| 40001 tuple to be locked was already moved to another partition/ } @notes), '',
	'no session got an error');
my @different = map { $_->[2] } grep { $_->[1] eq 'differs' } @notes;
is(scalar @different, 0, 'no difference under load') or diag(join "\n", splice @different, 0, 40);
my $checks = grep { $_->[1] eq 'checked' } @notes;
cmp_ok($checks, '>', 2, 'it was looked for');
is(join("\n", grep { /failed/ } map { $_->[3] // '' } grep { $_->[1] eq 'result' } @notes), '', 'no task of maintenance failed');
nothing('after the load');

# ---- at rest ---------------------------------------------------------------------

is(ApmRollups::settle($node, 'postgres'), '', 'maintenance comes to an end');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT state, ',') FROM apm.compactions}), 'done', 'days were compacted');
is($node->safe_psql('postgres', 'SELECT count(*) FROM _apm.stale_hours JOIN _apm.rollup_state USING (kind)'), '0', 'no hour is stale at rest');
is( $node->safe_psql('postgres', q{
	SELECT (SELECT count(*) FROM apm.transactions), (SELECT sum(n) FROM (SELECT n FROM _apm.transaction_days UNION ALL
	         SELECT n FROM _apm.transaction_hours WHERE bucket >= (SELECT days_until FROM _apm.rollup_state WHERE kind = 'transactions') UNION ALL
	         SELECT n FROM _apm.transaction_minutes WHERE bucket >= (SELECT hours_until FROM _apm.rollup_state WHERE kind = 'transactions')) c)})
	  =~ /^(\d+)\|\1$/ ? 'equal' : 'different', 'equal', 'days, hours and minutes hold every row once');
nothing('at rest');
is(ApmRollups::readers($node, 'postgres', 40), '', 'readers say the same from rollups and from rows');
is($node->safe_psql('postgres', ApmRollups::leftovers()), '', 'nothing is left of what was under way');
is($node->safe_psql('postgres', 'SELECT * FROM load.too_many_names'), '', 'no more names than there may be');
is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM _apm.transaction_hours WHERE transaction_name = '<< other >>'}), 't', 'others go together');

my $leaf = $node->safe_psql('postgres', q{SELECT '_apm.transactions_' || to_char(t0 - interval '1 day', 'YYYYMMDD') FROM load.base});
$node->safe_psql('postgres', "INSERT INTO load.deleted SELECT 'transaction', span_id::text FROM $leaf; TRUNCATE $leaf");
nothing('after a TRUNCATE');
is(ApmRollups::settle($node, 'postgres'), '', 'and maintenance after it');
nothing('after it was rolled up');

# A day of which a row comes while it is compacted, from a transaction whose
# snapshot is older than the compaction.
sub late
{
	my ($low, $high) = @_;
	return "INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
		SELECT project_id, trace_id, segment_id, date_trunc('day', t0, 'UTC') - interval '7 days' + row_number() OVER () * interval '1 s',
		       transaction_name, environment, release, spans FROM load.batches($low, $high), load.base";
}
my $late = ApmLoad::session($connstr);
my $compactor = ApmLoad::session($connstr);
$late->run("SELECT _apm.make_partition('span_batches', (SELECT date_trunc('day', t0, 'UTC') - interval '7 days' FROM load.base)::date)", late(9_000_000, 9_000_039));
$late->run('BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM load.base');
$compactor->run(ApmRollups::maintenance()) for 1 .. 4;
is(($late->run(late(9_000_040, 9_000_043), 'COMMIT'))[1], '00000', 'a late row of an old snapshot');
ApmLoad::record($node, 'postgres', [ 'late', 'acked', 'batches', 9_000_000, 9_000_039 ], [ 'late', 'acked', 'batches', 9_000_040, 9_000_043 ]);
is(ApmRollups::settle($node, 'postgres'), '', 'and its day is compacted');
nothing('after it');
$late->close;
$compactor->close;

# What ingest said of its items is what apm.outcomes adds up to, and what is there.
my %items = (accepted => 0, rejected => 0, skipped => 0);
for my $n (grep { $_->[1] eq 'stored' } @notes)
{
	my @counts = split /\|/, $n->[2];
	$items{accepted} += $counts[0];
	$items{rejected} += $counts[1];
	$items{skipped} += $counts[2];
}
is($items{rejected}, 0, 'ingest refused nothing');
is($node->safe_psql('postgres', q{SELECT coalesce(sum(quantity) FILTER (WHERE outcome = 'accepted'), 0), coalesce(sum(quantity) FILTER (WHERE outcome = 'skipped'), 0),
		coalesce(sum(quantity) FILTER (WHERE outcome = 'rejected'), 0) FROM apm.outcomes WHERE category = 'item'}),
	"$items{accepted}|$items{skipped}|0", 'outcomes of items add up');
is($node->safe_psql('postgres', q{
	SELECT kind FROM (SELECT w.kind, count(*) AS n FROM load.wanted w JOIN load.ranges r USING (range) WHERE r.source = 'ingest' AND w.acked GROUP BY 1) w
	  LEFT JOIN (SELECT category AS kind, sum(quantity) AS n FROM apm.outcomes WHERE outcome = 'accepted' GROUP BY 1) o USING (kind)
	 WHERE w.n IS DISTINCT FROM o.n}), '', 'and those of transactions, spans and errors');
note($node->safe_psql('postgres', q{SELECT format('%s transactions, %s spans, %s cells of hours', (SELECT count(*) FROM apm.transactions),
	(SELECT count(*) FROM apm.spans), (SELECT count(*) FROM _apm.transaction_hours))}) . ", $checks checks");

# ---- the test can fail --------------------------------------------------------------

my $everything = 'SELECT * FROM apm.endpoints(project_id => 1, since => (SELECT t0 - interval \'8 days\' FROM load.base))';
is(ApmRollups::readers($node, 'postgres', 1, $everything), '', 'a reader of everything');
my ($ret, $out, $err) = $node->psql('postgres', $everything =~ s/\)$/, explain => true)/r =~ s/since/until => now(), since/r);
like($err, qr/read from rollups: \d+ day cells/, 'reads rollups');

sub fails
{
	my ($what, $sql, $undo) = @_;
	$node->safe_psql('postgres', $sql);
	my $found = $what =~ /read/ ? ApmRollups::readers($node, 'postgres', 1, $everything) ne '' : ApmRollups::cells($node, 'postgres') ne '' || $node->safe_psql('postgres', 'SELECT * FROM load.differences LIMIT 20') ne '';
	ok($found, "$what is noticed");
	$node->safe_psql('postgres', $undo);
	return;
}
my $one = q{(SELECT min(bucket) FROM _apm.transaction_hours)};
fails('a wrong count', "UPDATE _apm.transaction_hours SET n = n + 1 WHERE bucket = $one", "UPDATE _apm.transaction_hours SET n = n - 1 WHERE bucket = $one");
fails('a wrong total', 'UPDATE _apm.transaction_total_days SET n = n + 1', 'UPDATE _apm.transaction_total_days SET n = n - 1');
fails('what is read from a wrong sketch', "ALTER TABLE _apm.transaction_days ADD old apm.sketch; UPDATE _apm.transaction_days SET old = sketch, sketch = apm.sketch_from_histogram('{1,2}', ARRAY[n])",
	'UPDATE _apm.transaction_days SET sketch = old; ALTER TABLE _apm.transaction_days DROP old');
fails('a cell that is there twice', "CREATE TABLE load.copy AS SELECT * FROM _apm.transaction_days WHERE bucket = (SELECT max(bucket) FROM _apm.transaction_days);
	INSERT INTO _apm.transaction_days SELECT * FROM load.copy",
	'DELETE FROM _apm.transaction_days d USING load.copy c WHERE d.bucket = c.bucket; INSERT INTO _apm.transaction_days SELECT * FROM load.copy');
fails('a value missing from a sketch', "ALTER TABLE _apm.transaction_hours ADD old apm.sketch; UPDATE _apm.transaction_hours SET old = sketch, sketch = apm.sketch_from_histogram('{1,2}', ARRAY[n]) WHERE bucket = $one",
	"UPDATE _apm.transaction_hours SET sketch = old WHERE bucket = $one; ALTER TABLE _apm.transaction_hours DROP old");
fails('a row that is there twice', q{BEGIN; SELECT _apm.store_as_rolled(); INSERT INTO apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms)
	SELECT project_id, trace_id, span_id, 'twin', start_time, end_time, duration_ms FROM apm.transactions ORDER BY end_time LIMIT 1; COMMIT},
	q{BEGIN; SELECT _apm.store_as_rolled(); DELETE FROM apm.transactions WHERE name = 'twin'; COMMIT});
fails('a lost row', q{CREATE TABLE load.lost AS SELECT * FROM _apm.span_batches WHERE false; WITH d AS (DELETE FROM _apm.span_batches WHERE (trace_id, segment_id) =
	(SELECT trace_id, segment_id FROM _apm.span_batches LIMIT 1) RETURNING *) INSERT INTO load.lost SELECT * FROM d},
	q{INSERT INTO _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans)
	SELECT project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans FROM load.lost});
nothing('after what was broken was mended');

# ---- dump and restore -----------------------------------------------------------------

my $dump = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $connstr ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ], 'restore');
is($node->safe_psql('restored', 'SELECT * FROM load.differences LIMIT 20'), '', 'every row was restored');
is(ApmRollups::readers($node, 'restored', 10), '', 'readers of the restored database say the same before it rolled up');
is(ApmRollups::settle($node, 'restored'), '', 'maintenance of the restored database');
is($node->safe_psql('restored', 'SELECT * FROM load.differences LIMIT 20'), '', 'keeps every row');
is(ApmRollups::cells($node, 'restored'), '', 'every cell equals its rows there');
is(ApmRollups::readers($node, 'restored', 10), '', 'and readers say the same');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal/, 'the server never crashed');
$node->stop;
done_testing();

END { ApmLoad::abandon() }
