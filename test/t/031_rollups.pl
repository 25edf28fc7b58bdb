# Rollups where transaction ids change their meaning: a copy of the database,
# pg_upgrade, and a standby that is promoted.  Retention has dropped the rows of
# one day, whose rollups stand everywhere.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ], allows_streaming => 1);
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\n");
$node->start;

# Rows of three days and of a day to come; minutes 10 apart.
my $store = q{
	SET client_min_messages = warning;
	SELECT _apm.make_partition('transactions', d) FROM unnest('{2026-01-05,2026-01-06,2026-01-07,2026-01-08}'::date[]) d;
	INSERT INTO apm.transactions (project_id, trace_id, span_id, name, op, status, start_time, end_time, duration_ms, user_key, measurements)
	  SELECT 1, md5('%s' || i)::uuid::apm.trace_id, '00000000000000a1', 'GET /' || i %% 5, 'http.server',
	         CASE WHEN i %% 7 = 0 THEN 'aborted' ELSE 'ok' END::apm.span_status, t, t, i * 1.5, 'u' || i %% 23,
	         jsonb_build_object('lcp', jsonb_build_object('value', 1000 + i))
	    FROM (SELECT i, '2026-01-05 00:00Z'::timestamptz + i * interval '10 minutes' AS t FROM generate_series(%s, %s) i) s};
my $roll = "SELECT _apm.roll('transactions', '2026-01-08 12:00Z')";

# What analysts see, with rollups or without.
sub answers
{
	my ($which, $db, $rollups, $since) = @_;
	return $which->safe_psql($db, qq{
		SET pg_apm.use_rollups = $rollups;
		SET timezone = 'UTC';
		SELECT md5(string_agg(e::text, '|')) FROM apm.endpoints('$since', '2026-01-09') e;
		SELECT md5(string_agg(v::text, '|')) FROM apm.web_vitals('$since', '2026-01-09') v;
		SELECT md5(string_agg(v::text, '|')) FROM apm.timeseries('p95()', '$since', '2026-01-09', '1 hour') v;
		SELECT md5(string_agg(v::text, '|')) FROM apm.timeseries('count_unique(user)', '$since', '2026-01-09', '1 day') v});
}

# Cells against rows, where there are any.
my $agree = q{
	SELECT count(*) FROM (SELECT project_id, name, apm.sketch_agg(duration_ms)::text FROM apm.transactions
	                       WHERE end_time >= '2026-01-06' AND end_time < '2026-01-08' GROUP BY 1, 2
	                EXCEPT SELECT project_id, transaction_name, apm.sketch_merge(sketch)::text FROM _apm.transaction_days
	                       WHERE bucket >= '2026-01-06' GROUP BY 1, 2) x};

$node->safe_psql('postgres', 'CREATE EXTENSION pg_apm');
$node->safe_psql('postgres', "INSERT INTO apm.projects (project_id, name) VALUES (1, 'p')");
$node->safe_psql('postgres', sprintf($store, 'a', 1, 400));
is($node->safe_psql('postgres', $roll), '400', 'rows are rolled up');
is($node->safe_psql('postgres', $agree), '0', 'cells and rows agree');
is(answers($node, 'postgres', 'on', '2026-01-05'), answers($node, 'postgres', 'off', '2026-01-05'), 'so do answers');
is($node->safe_psql('postgres', "SELECT _apm.release_rows('transactions', '2026-01-06')"), 't', 'the first day may go');
my $all = answers($node, 'postgres', 'on', '2026-01-05');
$node->safe_psql('postgres', 'DROP TABLE _apm.transactions_20260105');
is(answers($node, 'postgres', 'on', '2026-01-05'), $all, 'its rollups stand');

# Part of the rows waits to be rolled up, part of the hours to be rebuilt.
$node->safe_psql('postgres', sprintf($store, 'b', 150, 300) . ';' .
	q{UPDATE apm.transactions SET duration_ms = duration_ms + 1 WHERE end_time BETWEEN '2026-01-06 10:00Z' AND '2026-01-06 12:00Z'});
$all = answers($node, 'postgres', 'on', '2026-01-05');
my $kept = answers($node, 'postgres', 'off', '2026-01-06');
is(answers($node, 'postgres', 'on', '2026-01-06'), $kept, 'a tail and stale hours');

# A standby reads the same; promoted, it goes on rolling.
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(answers($standby, 'postgres', 'on', '2026-01-05'), $all, 'a standby answers alike');
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT usable FROM apm.rollup_status WHERE kind = \'transactions\''), 't', 'promoted, its rollups are good');
is($standby->safe_psql('postgres', $roll), '151', 'and go on');
is($standby->safe_psql('postgres', $agree), '0', 'cells and rows agree there');
is(answers($standby, 'postgres', 'on', '2026-01-05'), $all, 'answers stay');
$standby->stop;

# A copy in the same cluster, where the identifier of the system is no help.
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
unlike(slurp_file($dump), qr/COPY [^;]*stored_xid/, 'the mark is not in the dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
my $before = $node->safe_psql('postgres', 'SELECT pg_current_xact_id()');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ],
	'psql takes the dump without an error');
is($node->safe_psql('copy', "SELECT min(stored_xid) > $before FROM apm.transactions"), 't', 'restored rows have marks of their own');
is($node->safe_psql('copy', q{SELECT count(*) FROM pg_trigger WHERE tgrelid = '_apm.transactions_20260106'::regclass AND tgname ~ '^pg_apm'}), '3',
	'partitions watch for changes in the copy');
is(answers($node, 'copy', 'on', '2026-01-05'), $all, 'the copy answers alike before its first round');
is($node->safe_psql('copy', $roll), $node->safe_psql('copy', 'SELECT count(*) FROM apm.transactions'), 'which takes all rows');
is(answers($node, 'copy', 'on', '2026-01-05'), $all, 'and after it');
is($node->safe_psql('copy', $agree), '0', 'cells and rows agree in the copy');
$node->safe_psql('copy', 'DELETE FROM apm.transactions WHERE name = \'GET /3\'');
is(answers($node, 'copy', 'on', '2026-01-06'), answers($node, 'copy', 'off', '2026-01-06'), 'changes are seen in the copy');
$node->safe_psql('postgres', 'DROP DATABASE copy');
$node->stop;

# pg_upgrade keeps the cells and makes another system of it.
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
is($new->safe_psql('postgres', 'SELECT usable FROM apm.rollup_status WHERE kind = \'transactions\''), 'f', 'after pg_upgrade rollups wait for a round');
is(answers($new, 'postgres', 'on', '2026-01-05'), $all, 'answers are the same');
$new->safe_psql('postgres', $roll);
is($new->safe_psql('postgres', 'SELECT usable FROM apm.rollup_status WHERE kind = \'transactions\''), 't', 'after it they are used');
is(answers($new, 'postgres', 'on', '2026-01-05'), $all, 'and answer alike');
is($new->safe_psql('postgres', $agree), '0', 'cells and rows agree');
$new->stop;
done_testing();
