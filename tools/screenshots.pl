# The pictures of the console in docs/images/: a list of jobs by day, and one of them
# by night on a phone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../t/lib";

use Test::More;

use DFP::Console;
use DFP::Process qw( wait_until );

use constant {
    FOLDER => 'docs/images',
    JOBS   => '/oapi/v1/jobs',
    SLOW   => 0.5,      # s between two bytes of a layer
    SMALL  => 60_000,   # bytes of a picture that a README may have
};


sub post
{
    my ($servers, $url, %args) = @_;

    return $servers->client->post(JOBS, {
        type => 'preheat', bio => delete $args{bio} // '',
        args => { type => 'image', url => $url, %args } })->{json}{id};
}


sub small
{
    my $name = shift;

    cmp_ok(-s "$FindBin::Bin/../docs/images/$name.png", '<=', SMALL,
           "$name is small");
}


console_story 'the pictures', {}, sub
{
    my ($console, $browser) = @_;

    my $servers = $console->servers;
    my @done = map { post($servers, $console->image($_)) }
                   qw( library/alpine team/shop team/search );
    my $failed = post($servers, IMAGES . '/v2/team/cart/manifests/2.1',
                      bio => 'nightly');

    $servers->ended_job($_, SOON) for @done, $failed;

    my $running = post($servers, $console->image('team/model', every => SLOW),
                       bio => 'before the roll-out');

    wait_until(SOON, sub {
        my ($one) = @{ $servers->job($running)->{result}{job_states}[0]{progress}
                       // [] };
        $one && $one->{tasks_done} >= 2;
    }) or die 'no progress';

    $console->sign_in($servers->token(qw( job cluster )));
    $browser->size(820, 480, JSON::PP::true);
    $browser->first(row => qr/PENDING.*2 of 5|PENDING.*3 of 5/);
    $console->picture('console-jobs', FOLDER);
    small('console-jobs');

    $browser->click(link => "Job $failed");
    $browser->phone;
    $browser->dark;
    $browser->sees(qr/Why it has failed/);
    $console->picture('console-job-phone', FOLDER);
    small('console-job-phone');
    $browser->may_move;
};

done_testing();
