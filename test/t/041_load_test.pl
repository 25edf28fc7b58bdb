# The worked example of docs/load-test.md: its SQL blocks run, those marked
# "fails" with an error, and the steps of its pipeline that store and judge
# run as a shell would run them, on a service that is fast and on one that is
# slow.
use strict;
use warnings;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('load_test');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql('postgres', 'SET client_min_messages = warning; CREATE EXTENSION pg_apm');

my $page = slurp_file('docs/load-test.md');

# A body for each request: duration in seconds, and how many of them failed.
sub bodies
{
	my ($release, $n, $seconds, $failures) = @_;
	my $now = time;
	my $lines = '';
	for my $i (1 .. $n)
	{
		my $body = sprintf(
			qq({"event_id":"%032x"}\n{"type":"transaction"}\n{"type":"transaction","transaction":"POST /api/checkout","release":"%s",)
			  . qq("start_timestamp":%.3f,"timestamp":%.3f,"contexts":{"trace":{"trace_id":"%032x","span_id":"%016x","op":"http.server","status":"%s"}}}\n),
			$i + 1000 * $seconds, $release, $now - 60 - $seconds * (1 + $i / 1000), $now - 60, $i + 1000 * $seconds, $i,
			$i <= $failures ? 'internal_error' : 'ok');
		$lines .= encode_base64($body, '') . "\n";
	}
	return $lines;
}

# The "run" block of a step of the workflow.
sub step
{
	my ($name) = @_;
	my ($run) = $page =~ /- name: \Q$name\E\n\s+run: \|\n((?: {10}[^\n]*\n)+)/ or die "no step $name";
	$run =~ s/^ {10}//mg;
	return $run;
}

my $dir = PostgreSQL::Test::Utils::tempdir;
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
local $ENV{PGDATABASE} = 'postgres';

sub run_step
{
	my ($name, $user, $sha) = @_;
	my ($out, $err);
	local $ENV{PGUSER} = $user;
	local $ENV{GITHUB_SHA} = $sha;
	IPC::Run::run([ 'bash', '-e', '-c', "cd '$dir'; " . step($name) ], '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

# The role of the pipeline comes from the page itself.
my ($grants) = $page =~ /^```sql\n(CREATE ROLE.*?)^```/ms;
$node->safe_psql('postgres', $grants);
$node->safe_psql('postgres', q{SELECT apm.create_project('shop', 7)});

append_to_file("$dir/bodies.b64", bodies('shop@fast', 240, 0.1, 1));
my ($status, $out, $err) = run_step('Store what came in', 'ci', 'fast');
is($status, 0, 'bodies are stored') or diag($err);
like($out, qr/240 \|\s+0/, 'all of them');
($status, $out, $err) = run_step('Judge it by its traces', 'ci', 'fast');
is($status, 0, 'a fast service passes') or diag($err);
is($err, '', 'and nothing is said on standard error');

unlink "$dir/bodies.b64";
append_to_file("$dir/bodies.b64", bodies('shop@slow', 240, 0.9, 1));
($status, $out, $err) = run_step('Store what came in', 'ci', 'slow');
is($status, 0, 'bodies of the next test are stored') or diag($err);
($status, $out, $err) = run_step('Judge it by its traces', 'ci', 'slow');
is($status, 3, 'a slow service fails with the status of a failed script');
like($err, qr/^ERROR:  assertion failed: p95\(duration\) is \S+ ± [0-9.]+, not < 300; for example trace ([0-9a-f]{32})\nDETAIL:  Measured on 240 /m,
	'with value, bound and trace');
unlike($err, qr/CONTEXT/, 'and nothing else');
my ($trace) = $err =~ /example trace ([0-9a-f]{32})/;
is($node->safe_psql('postgres', "SELECT count(*) FROM apm.trace('$trace')"), '1', 'the trace is there');
($status) = run_step('Judge it by its traces', 'ci', 'never');
is($status, 3, 'without any transaction it fails');

# One assertion on the command line.
my ($line) = $page =~ /^    (psql .*)$/m;
for ([ 300, 1 ], [ 3000, 0 ])
{
	my ($bound, $expected) = @$_;
	(my $command = $line) =~ s/< 300/< $bound/;
	local $ENV{PGUSER} = 'ci';
	IPC::Run::run([ 'bash', '-c', $command ], '>', \$out, '2>', \$err);
	is($? >> 8, $expected, "psql -c with a bound of $bound");
}

# Every SQL block, as the role of the pipeline.
my $n = 0;
while ($page =~ /^```sql( fails)?\n(.*?)^```\n/msg)
{
	my ($fails, $sql) = ($1, $2);
	next if $sql eq $grants;
	$n++;
	$status = $node->psql('postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 1,
		connstr => $node->connstr('postgres') . ' user=ci');
	is($status, $fails ? 3 : 0, "block $n " . ($fails ? 'fails' : 'runs')) or diag($sql, $err);
	like($err, qr/ERROR:  assertion /, 'for the reason it gives') if $fails;
}
cmp_ok($n, '>=', 3, 'the page has SQL blocks');

$node->stop;
done_testing();
