# A disk that is full and locks that are not to be had: the caller gets the
# error, nothing is left half done, and when the fault is over all goes on.
#
# The disk is full when a file says so: a library loaded before libc lets no
# file of the database grow meanwhile.  It needs a compiler.

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

my $dir = PostgreSQL::Test::Utils::tempdir;
my $full = "$dir/full";
my $stop = "$dir/stop";

# ---- a disk that can be full ---------------------------------------------------

my $source = <<'C';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Would the file of a table or a temporary file grow now that the disk is full? */
static int
refused(int fd, off_t end)
{
	const char *flag = getenv("APM_DISK_FULL");
	struct stat st;
	char		link[64], path[4096];
	ssize_t		n;
	int			saved = errno, result = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (flag && access(flag, F_OK) == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && end > st.st_size &&
		(n = readlink(link, path, sizeof(path) - 1)) > 0)
	{
		path[n] = 0;
		result = strstr(path, "/base/") != NULL;
	}
	errno = saved;
	return result;
}

#define REAL(name) (*(__typeof__(name) **) real(#name))
static void *
real(const char *name)
{
	static struct { const char *name; void *f; } known[8];
	int			i = 0;

	while (known[i].name && strcmp(known[i].name, name) != 0)
		i++;
	if (!known[i].f)
		known[i].f = dlsym(RTLD_NEXT, name);
	known[i].name = name;
	return &known[i].f;
}
#define NO_SPACE(fd, end) if (refused(fd, end)) { errno = ENOSPC; return -1; }

static off_t
length(const struct iovec *iov, int n)
{
	off_t		sum = 0;

	while (n-- > 0)
		sum += iov[n].iov_len;
	return sum;
}

ssize_t pwrite(int fd, const void *b, size_t n, off_t at)
{ NO_SPACE(fd, at + (off_t) n); return REAL(pwrite)(fd, b, n, at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off_t at)
{ NO_SPACE(fd, at + (off_t) n); return REAL(pwrite64)(fd, b, n, at); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{ NO_SPACE(fd, at + length(v, n)); return REAL(pwritev)(fd, v, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at)
{ NO_SPACE(fd, at + length(v, n)); return REAL(pwritev64)(fd, v, n, at); }
int posix_fallocate(int fd, off_t at, off_t n)
{ return refused(fd, at + n) ? ENOSPC : REAL(posix_fallocate)(fd, at, n); }
int posix_fallocate64(int fd, off_t at, off_t n)
{ return refused(fd, at + n) ? ENOSPC : REAL(posix_fallocate64)(fd, at, n); }
C

my $cc = $ENV{CC} // 'cc';
append_to_file("$dir/full.c", $source);
my $has_disk = -r '/proc/self/fd' && system("$cc -O1 -shared -fPIC -o '$dir/full.so' '$dir/full.c' -ldl >'$dir/cc.log' 2>&1") == 0;
diag('no compiler: tests of a full disk are skipped') unless $has_disk;

my $node = PostgreSQL::Test::Cluster->new('faults');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\ntimezone = 'UTC'\npg_apm.lock_timeout = '500ms'\npg_apm.compact_after = 0\n");
{
	local $ENV{APM_DISK_FULL} = $full;
	local $ENV{LD_PRELOAD} = "$dir/full.so" if $has_disk;
	$node->start;
}
ApmLoad::prepare($node, 'postgres');
ApmRollups::prepare($node, 'postgres');
my $connstr = $node->connstr('postgres');

# All that may have changed, in one line.
my $everything = q{
	SELECT (SELECT count(*) FROM apm.transactions), (SELECT count(*) FROM _apm.span_batches), (SELECT count(*) FROM apm.errors),
	       (SELECT count(*) FROM _apm.seen), (SELECT coalesce(sum(quantity), 0) FROM apm.outcomes),
	       (SELECT count(*) FROM pg_class WHERE relnamespace IN ('apm'::regnamespace, '_apm'::regnamespace))};

# Rows, rollups and readers.
sub sound
{
	my ($when) = @_;
	is($node->safe_psql('postgres', 'SELECT * FROM load.differences LIMIT 20'), '', "rows $when");
	is(ApmRollups::cells($node, 'postgres'), '', "rollups $when");
	return;
}

sub maintenance_runs
{
	my ($when) = @_;
	is(ApmRollups::settle($node, 'postgres'), '', "maintenance $when");
	return;
}

# ---- locks ---------------------------------------------------------------------

my $holder = ApmLoad::session($connstr);
my $caller = ApmLoad::session($connstr);
ApmLoad::record($node, 'postgres', [ 'first', 'acked', 'ingest', 1, 300 ]);
is(($caller->run('SELECT * FROM load.ingest(1, 300)'))[1], '00000', 'a load');
maintenance_runs('before all');
my ($day) = $caller->run(q{SELECT to_char(t0 - interval '1 us', 'YYYYMMDD') FROM load.base});

for my $table ("transactions_$day", "span_batches_$day")
{
	is(($holder->run('BEGIN', "LOCK TABLE _apm.$table IN ACCESS EXCLUSIVE MODE"))[1], '00000', "somebody holds $table");
	my $before = $holder->run($everything);
	$caller->run("SET lock_timeout = '200ms'");
	my $begun = time;
	is(($caller->run('SELECT * FROM load.ingest(301, 340)'))[1], '55P03', 'ingest gets the error');
	cmp_ok(time - $begun, '<', 10, 'soon') or diag(time - $begun);
	is(($caller->run('INSERT INTO apm.transactions (project_id, trace_id, span_id, name, start_time, end_time, duration_ms) '
			. 'SELECT project_id, trace_id, span_id, name, start_time, end_time, duration_ms FROM load.rows(301, 340)'))[1],
		'55P03', 'as does a direct INSERT') if $table =~ /^trans/;
	$caller->run('RESET lock_timeout', "SET statement_timeout = '200ms'");
	is(($caller->run('SELECT * FROM load.ingest(301, 340)'))[1], '57014', 'and a statement timeout is one');
	$caller->run('RESET statement_timeout');
	$begun = time;
	my ($ret, $out, $err) = $node->psql('postgres', "SET lock_timeout = '500ms'; " . join(';', ApmRollups::maintenance()));
	like("$ret $err", qr/^0 $|lock timeout/, 'maintenance says so, or leaves it');
	cmp_ok(time - $begun, '<', 30, 'and waits for nobody');
	is($holder->run($everything), $before, 'nothing is stored');
	is(($holder->run('ROLLBACK'))[1], '00000', 'the lock is gone');
	sound("after waiting for $table");
}
ApmLoad::record($node, 'postgres', [ 'first', 'acked', 'ingest', 301, 340 ]);
is(($caller->run('SELECT rejected FROM load.ingest(301, 340)'))[0], '0', 'the same data is welcome');
maintenance_runs('after the locks');
sound('after the locks');

# ---- a full disk -----------------------------------------------------------------

SKIP:
{
	skip 'no compiler', 1 unless $has_disk;

	append_to_file($full, '');
	my ($low, $state, $before) = (1000, '00000');
	while ($state eq '00000' && $low < 20_000)
	{
		$before = $holder->run($everything);
		$state = ($caller->run("SELECT * FROM load.ingest($low, $low + 99)"))[1];
		ApmLoad::record($node, 'postgres', [ 'early', 'acked', 'ingest', $low, $low + 99 ]) if $state eq '00000';
		unlink $full;
		$low += 100 if $state eq '00000';
		append_to_file($full, '');
	}
	is($state, '53100', 'ingest into a full disk gets the error');
	like($caller->{message}, qr/No space left on device/, 'that says it');
	is($holder->run($everything), $before, 'nothing is stored');
	($state) = ($caller->run("COPY (SELECT * FROM load.batches(900001, 900300)) TO '$dir/batches.copy'",
		"COPY _apm.span_batches (project_id, trace_id, segment_id, end_time, transaction_name, environment, release, spans) FROM '$dir/batches.copy'"))[1];
	is($state, '53100', 'so does COPY');
	is($holder->run($everything), $before, 'and stores nothing');
	my ($ret, $out, $err) = $node->psql('postgres', join(';', ApmRollups::maintenance()));
	like("$ret $err", qr/^0 $|No space left on device/, 'maintenance says so, or has nothing to do');
	is($node->safe_psql('postgres', 'SELECT count(*) > 0 FROM apm.endpoints(now() - interval \'7 days\')'), 't', 'readers go on');
	unlink $full;
	sound('after the disk was full');
	ApmLoad::record($node, 'postgres', [ 'late', 'acked', 'ingest', $low, $low + 99 ]);
	is(($caller->run("SELECT rejected FROM load.ingest($low, $low + 99)"))[0], '0', 'the same data is welcome');
	maintenance_runs('after the disk was full');

	# Full and free again under load.
	ApmLoad::spawn("writer$_", $connstr, $stop, ApmLoad::writer((qw(ingest ingest copy batches))[$_], 1_000_000 * ($_ + 1), 60)) for 0 .. 3;
	ApmLoad::spawn('maintainer', $connstr, $stop, ApmLoad::repeat('maintenance', 50_000, \&ApmRollups::maintenance));
	ApmLoad::spawn('changer', $connstr, $stop, ApmLoad::repeat('change', 100_000, \&ApmLoad::change));
	for (1 .. $ENV{APM_FAULT_ROUNDS} // 2)
	{
		usleep(600_000);
		append_to_file($full, '');
		usleep(800_000);
		unlink $full;
	}
	usleep(400_000);
	my @notes = ApmLoad::collect($stop);
	ApmLoad::record($node, 'postgres', @notes);
	my @errors = grep { $_->[1] =~ /^(error|died)$/ } @notes;
	is(join("\n", map { "@$_" } grep { ($_->[3] // '') ne '53100' } @errors), '', 'no other error under load');
	cmp_ok(scalar(grep { $_->[2] =~ /^(ingest|copy|batches)$/ } @errors), '>', 0, 'sessions saw the full disk');
	sound('after a load on a disk now full, now free');
	maintenance_runs('after all');
	sound('after all');
	is($node->safe_psql('postgres', ApmRollups::leftovers()), '', 'nothing is left of interrupted work');
	is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM apm.compactions WHERE state = 'done'}), 't', 'days were compacted');
}

$holder->close;
$caller->close;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|was terminated by signal/, 'the server never crashed');
$node->stop;
done_testing();

END { ApmLoad::abandon(); unlink $full if defined $full }
