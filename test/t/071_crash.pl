# Crashes under load: a backend that stores, the worker, a session that runs
# maintenance, the whole server; after each recovery everything that was
# acknowledged is there once, what was sent again is not doubled, rollups agree
# with the rows and maintenance goes on.
#
# APM_CRASH_ROUNDS says how often (five kinds take turns); the default is short.

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

my $rounds = $ENV{APM_CRASH_ROUNDS} // 3;
my $seconds = $ENV{APM_CRASH_SECONDS} // 1;

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_apm'
pg_apm.worker_interval = '200ms'
pg_apm.compact_after = 0
pg_apm.compact_time = '20ms'
max_worker_processes = 12
restart_after_crash = on
log_min_messages = warning
timezone = 'UTC'
fsync = off
});
$node->start;
ApmLoad::prepare($node, 'postgres');
ApmRollups::prepare($node, 'postgres');

my $stop = PostgreSQL::Test::Utils::tempdir . '/stop';
my $connstr = $node->connstr('postgres');
my $next = 1;

sub pids_of
{
	my ($where) = @_;
	my ($ret, $out) = $node->psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $where ORDER BY random()");
	return split /\n/, $out // '';
}

# Catches a process in the act, or after a second whatever it does.
sub kill_one
{
	my (@wheres) = @_;
	for my $where (@wheres)
	{
		my $end = time + 1;
		while (time < $end)
		{
			my ($pid) = pids_of($where);
			return kill 'KILL', $pid if $pid;
		}
	}
	return 0;
}

# All at once, as when the machine goes away.
sub kill_server
{
	my @pids = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	push @pids, grep { /^\d+$/ } map { s/\s//gr } split /\n/, `ps -o pid= --ppid $pids[0]`;
	kill 'STOP', $pids[0];
	kill 'KILL', @pids;
	$node->{_pid} = undef;
	usleep(20_000) while grep { kill 0, $_ } @pids;
	return scalar @pids;
}

my %crash = (
	'a storing backend' => sub { kill_one(q{state = 'active' AND query ~ 'load.ingest\(' AND application_name ~ '^writer'}) },
	'the worker' => sub { kill_one(q{backend_type = 'pg_apm worker' AND state = 'active'}, q{backend_type = 'pg_apm worker'}) },
	'the whole server' => sub { my $n = kill_server(); $node->start; return $n },
	'a session in maintenance' => sub { kill_one(q{state = 'active' AND application_name = 'maintainer' AND query !~ 'ROLLBACK'}) },
	'an immediate stop' => sub { $node->stop('immediate'); $node->start; return 1 });
my @order = ('a storing backend', 'the worker', 'the whole server', 'a session in maintenance', 'an immediate stop');

for my $round (1 .. $rounds)
{
	my $what = $order[ ($round - 1) % @order ];
	my @kinds = ('ingest', 'ingest', 'ingest', ('insert', 'copy', 'batches')[ $round % 3 ]);
	for my $i (0 .. $#kinds)
	{
		ApmLoad::spawn("writer$i", $connstr, $stop, ApmLoad::writer($kinds[$i], $next));
		$next += 1_000_000;
	}
	ApmLoad::spawn('maintainer', $connstr, $stop, ApmLoad::repeat('maintenance', 50_000, \&ApmRollups::maintenance));
	ApmLoad::spawn('changer', $connstr, $stop, ApmLoad::repeat('change', 100_000, \&ApmLoad::change));
	usleep($seconds * 1_000_000 * (0.7 + rand 0.6));
	ok($crash{$what}->(), "round $round: $what is killed") or diag("nothing to kill");
	usleep($seconds * 500_000);
	my @notes = ApmLoad::collect($stop);

	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	ApmLoad::record($node, 'postgres', @notes);
	is(join("\n", map { "@$_" } grep { $_->[1] =~ /^(error|died)$/ } @notes), '', "round $round: no session got an error");
	cmp_ok(scalar(grep { $_->[1] eq 'acked' } @notes), '>', 4, "round $round: the load was one");
	is($node->safe_psql('postgres', 'SELECT * FROM load.differences LIMIT 20'), '', "round $round: rows after $what was killed");
	is(ApmRollups::cells($node, 'postgres'), '', "round $round: rollups agree with the rows");
}

# Everything comes to rest.
is(ApmRollups::settle($node, 'postgres'), '', 'maintenance after the crashes');
is($node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE state = 'done') > 0, count(*) FILTER (WHERE state NOT IN ('done', 'skipped')) FROM apm.compactions}),
	't|0', 'compaction went on to its end');
is($node->safe_psql('postgres', ApmRollups::leftovers()), '', 'nothing is left of interrupted work');
is($node->safe_psql('postgres', 'SELECT * FROM load.differences LIMIT 20'), '', 'every row at the end');
is(ApmRollups::cells($node, 'postgres'), '', 'every rollup at the end');
is(ApmRollups::readers($node, 'postgres', 20), '', 'readers say the same from rollups and from rows');
is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM load.ranges WHERE acked}), 't', 'something was acknowledged');
note($node->safe_psql('postgres', q{SELECT format('%s statements acknowledged, %s transactions and %s spans stored',
	(SELECT count(*) FROM load.ranges WHERE acked), (SELECT count(*) FROM apm.transactions), (SELECT count(*) FROM apm.spans))}));

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP:|was terminated by signal (?!9|3)/, 'no crash but those that were made');
unlike($log, qr/ERROR:.*(?:could not (?:open|read|access)|missing chunk|invalid memory)/, 'nothing is damaged');
$node->stop;
done_testing();

END { ApmLoad::abandon() }
