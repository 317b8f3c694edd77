# Jobs survive the death of workers and of nginx.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw( time );

use DFP::Process qw( send_signal wait_until );
use DFP::Servers qw( story );

story 'a worker is killed in the middle of a run: another finishes it',
    { lease => '1s' }, sub
{
    my $servers = shift;

    my $path = '/gate/100000/layer';
    my $origin = $servers->origin;
    my $id = $servers->post_files([ $path, '/quick/1000/small' ]);

    my $port = $origin->wait_at_gate($path, 5);
    my $worker = $servers->worker_of($port);
    ok($worker, 'a worker fetches the file');

    send_signal('KILL', $worker);
    my $killed = time;

    ok(wait_until(5, sub { $origin->requests($path) == 2 }),
       'the file is asked for again');
    cmp_ok(time - $killed, '<', 2, 'within the lease and a second');
    $origin->open_gate($path);
    my $job = $servers->ended_job($id, 5);
    is($job->{state}, 'SUCCESS', 'the job ends');
    is($servers->lost_attempts($job), 1, 'one attempt was lost');

    $servers->expects(1, qr/worker process $worker exited on signal 9/);
};

done_testing();
