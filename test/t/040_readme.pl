# Every SQL block of the README runs, in order: those marked "admin" as the
# superuser, all others as a role that is granted apm_reader and nothing else,
# which may run none of the writing ones.  docs/reference.md lists every public
# object with its comment.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub slurp
{
	my ($file) = @_;
	open(my $fh, '<:raw', $file) or die "could not open $file: $!";
	local $/;
	return scalar <$fh>;
}

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nshared_preload_libraries = 'pg_apm'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE reader LOGIN');

my $readme = slurp('README.md');
my $n = 0;
while ($readme =~ /^```sql( admin)?\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?/msg)
{
	my ($admin, $sql, $shown) = ($1, $2, $3);
	my ($out, $err) = ('', '');
	$n++;
	my $status = $node->psql('postgres', $sql,
		stdout => \$out, stderr => \$err, on_error_stop => 1,
		extra_params => [ '-P', 'format=aligned', '-P', 'tuples_only=off' ],
		connstr => $node->connstr('postgres') . ($admin ? '' : ' user=reader'));
	is($status, 0, "block $n of the README runs" . ($admin ? '' : ' as a reader')) or diag($sql, $err);
	$node->safe_psql('postgres', 'GRANT apm_reader TO reader') if $n == 1;
	if (defined $shown)
	{
		# The same columns as shown; the numbers are of another moment.
		my ($head) = $shown =~ /^([^\n]*)\n/;
		my ($got) = $out =~ /^([^\n]*\|[^\n]*|\s*waterfall\s*)\n-/m;
		s/\s+//g for ($head, $got);
		is($got, $head, "block $n shows the columns that the README shows");
	}
}
cmp_ok($n, '>=', 10, 'the README has SQL blocks');

for my $write (
	q{SELECT * FROM apm.ingest('{}', 1)},
	q{SELECT * FROM apm.ingest_batch('{}', '{}', '{}')},
	q{SELECT * FROM apm.create_project('x')},
	q{SELECT apm.create_alert('x', 'count()', 1, critical => 1)},
	q{SELECT apm.drop_alert('slow checkout')},
	q{SELECT * FROM apm.evaluate_alerts()},
	q{SELECT apm.load_demo()},
	q{SELECT apm.drop_demo()},
	q{INSERT INTO apm.projects (project_id, name) VALUES (7, 'x')},
	q{DELETE FROM apm.transactions},
	q{UPDATE apm.alert_rules SET enabled = false})
{
	my $err;
	$node->psql('postgres', $write, stderr => \$err,
		connstr => $node->connstr('postgres') . ' user=reader');
	like($err, qr/permission denied/, "a reader may not: $write");
}

my $reference = slurp('docs/reference.md');
is( $node->safe_psql('postgres', slurp('scripts/reference.sql')) . "\n", $reference,
	'docs/reference.md is what the comments say (make reference writes it)');

$node->stop;
done_testing();
