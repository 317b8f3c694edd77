# Jobs in the console: posting, watching, cancelling, running again, and lists.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use DFP::Console;
use DFP::Kept;

use constant {
    JOBS  => '/oapi/v1/jobs',
    MANY  => 1000,
    EVIL  => '<img/onerror="window.intruder=1"/src=x><script>'
             . 'window.intruder=2</script>',
    BYTE  => 0.2,       # s between two bytes of a layer that is watched
};


# A person who has a token for jobs and clusters.

sub signed_in
{
    my $console = shift;

    $console->sign_in($console->servers->token(qw( job cluster )));
    $console->browser->first(heading => 'Jobs');
}


# The same page as before: it has not been loaded again.

sub mark { $_[0]->script('window.same = 1') }

sub marked { $_[0]->script('return window.same === 1') }


# The job of the page, as the API has it.

sub job_shown
{
    my $console = shift;

    my ($id) = $console->browser->url =~ m{#/jobs/(\d+)$} or return;

    return $console->servers->job($id);
}


# A job of a file that is not sent before its gate is opened: its id and path.

sub gated
{
    my ($console, $name, %args) = @_;

    my $servers = $console->servers;
    my $path = "/gate/1000/$name";
    my $id = $servers->post_files([$path], %args);

    $servers->origin->wait_at_gate($path, SOON) or die 'nobody fetches it';

    return ($id, $path);
}


console_story 'an image is preheated', {}, sub
{
    my ($console, $browser) = @_;

    my $url = $console->image('team/app', every => BYTE);

    signed_in($console);
    ok($browser->sees(qr/no jobs yet/i), 'at first there is no job');
    $console->is_accessible('jobs-empty');
    $browser->click(link => 'Preheat an image or a file');
    $browser->type(field => qr/^Images/, $url);
    $browser->type(field => 'Description', 'for the roll-out');
    $console->is_accessible('preheat');

    my $curl = $console->copied(qr/^Copy/);

    mark($browser);
    $browser->click(button => 'SAVE');
    ok($browser->shows(heading => qr/^Job 1/), 'its page is shown');
    ok($browser->sees(qr/PENDING/), '... while it is PENDING');
    ok($browser->sees(qr/\d of 5 tasks/), '... with its progress');
    $console->is_accessible('job-pending');
    ok($browser->sees(qr/SUCCESS/, 2 * SOON), 'then it is a SUCCESS');
    ok(marked($browser), '... on the same page');
    is(job_shown($console)->{state}, 'SUCCESS', '... which is true');
    ok($browser->sees(qr/5 tasks/), 'its tasks are counted');
    ok($browser->sees(qr{/v2/team/app/blobs/sha256:}), '... and listed');
    ok($browser->sees(qr/for the roll-out/), '... with its description');
    $browser->click(button => 'Arguments');
    ok($browser->sees(qr/all_peers/), 'and its arguments');
    $console->is_accessible('job');
    $console->goes_to('Jobs');
    ok($browser->shows(row => qr/SUCCESS.*\b1\b.*team\/app/), 'it is in the list');
    $console->is_accessible('jobs');

    unlike($curl, qr/\Q$console->{token}\E/, 'curl is shown without the token');
    like($curl, qr/\$TOKEN/, '... but with a place for it');

    my $answer = $console->shell($curl);

    is($answer->{id}, 2, 'and does the same');
    is_deeply([ @$answer{qw( type bio )}, $answer->{args}{url} ],
              [ 'preheat', 'for the roll-out', $url ], '... with all of it');
};


console_story 'a job that fails', {}, sub
{
    my ($console, $browser) = @_;

    signed_in($console);
    $console->goes_to('Preheat');
    $browser->type(field => qr/^Images/, IMAGES . '/v2/none/manifests/1');
    $browser->press('Tab');
    $browser->click(button => 'SAVE');
    ok($browser->sees(qr/FAILURE/, 2 * SOON), 'it is a FAILURE');

    my $error = job_shown($console)->{result}{job_states}[0]{error};
    my $text = $browser->text;

    like($error, qr/404/, 'the registry has no such image');
    like($text, qr/FAILURE.*\Q$error\E/s, '... as the page says');
    ok(index($text, $error) < index($text, 'Created'), '... first');
    $console->is_accessible('job-failed');
    $console->goes_to('Jobs');
    ok($browser->shows(row => qr/FAILURE.*404/), 'the list says so, too');

    $browser->click(link => 'Job 1');
    $browser->click(button => qr/^Run again/);
    ok($browser->shows(heading => 'Run job 1 again'), 'it can be run again');
    is($browser->value_of(qr/^Images/), IMAGES . '/v2/none/manifests/1',
       '... with what it had');
    $console->image('none');
    $browser->type(field => qr/^Images/, IMAGES . '/v2/none/manifests/1.0');
    $browser->click(button => 'SAVE');
    ok($browser->shows(heading => qr/^Job 2/)
       && $browser->sees(qr/SUCCESS/, 2 * SOON), '... or something else');

    $browser->back;
    ok($browser->shows(heading => 'Run job 1 again'), 'back: the form');
    $browser->back;
    ok($browser->shows(heading => qr/^Job 1/), '... the job');
    $browser->back;
    ok($browser->shows(heading => 'Jobs'), '... the list');
    $browser->forward;
    ok($browser->shows(heading => qr/^Job 1/), 'and forward');

    $browser->click(button => 'Delete');
    $browser->first('dialog', qr/Delete job 1/);
    $browser->click(button => 'Delete');
    $browser->first(heading => 'Jobs');
    ok($browser->misses(qr/404/), 'it is deleted');
    is($console->servers->client->get(JOBS . '/1')->{status}, 404,
       '... for everybody');
};


console_story 'arguments', {}, sub
{
    my ($console, $browser) = @_;

    signed_in($console);
    $console->goes_to('Preheat');
    $browser->click(button => 'SAVE');
    ok($browser->sees(qr/Enter at least one/), 'a URL is needed');
    ok($browser->focuses(field => qr/^Images/), '... where the focus is');

    $browser->click(field => 'File');
    $browser->type(field => qr/^URLs/, 'ftp://files.test/file');
    $browser->click(button => 'SAVE');
    ok($browser->sees(qr/args\.url.*http/), 'of a kind that nginx knows');
    ok($browser->focuses(field => qr/^URLs/), '... which is said beside it');

    $browser->type(field => qr/^URLs/, join "\n",
                   map { $console->servers->origin_url . "/quick/10/$_" } 1 .. 3);
    ok($browser->misses(qr/args\.url/), '... until it is changed');
    $browser->click(button => 'More');
    $console->is_accessible('preheat-more');
    $browser->type(field => 'Timeout', 'soon');
    $browser->type(field => 'Percentage', '101');
    $browser->click(button => 'SAVE');
    ok($browser->sees(qr/30m or 2h/), 'what is no time is said at once');
    ok($browser->focuses(field => 'Timeout'), '... beside it');
    $browser->type(field => 'Timeout', '2h');
    $browser->click(button => 'SAVE');
    ok($browser->sees(qr/args\.percentage.*100/), 'what nginx refuses is');
    ok($browser->focuses(field => 'Percentage'), '... beside its field, too');
    $browser->type(field => 'Percentage', '');
    $browser->type(field => 'Headers', "X-Api-Key: the-secret");
    $browser->type(field => 'Password', 'the-password');
    $browser->type(field => 'User name', 'me');
    $browser->type(field => 'Tag', 'v1');
    ok($browser->misses(qr/the-secret|the-password/), 'secrets are not in curl');
    $browser->click(button => 'SAVE');
    ok($browser->shows(heading => qr/^Job 1/)
       && $browser->sees(qr/SUCCESS/, 2 * SOON), 'then it is posted');
    $browser->click(button => 'Arguments');
    ok($browser->sees(qr/X-Api-Key: \*\*\*/), 'secrets are not shown');

    my $args = job_shown($console)->{args};

    is_deeply([ @$args{qw( timeout tag )}, scalar @{ $args->{urls} } ],
              [ 7200e9, 'v1', 3 ], 'with all that was entered');
    $browser->click(button => qr/^Run again/);
    $browser->first(heading => 'Run job 1 again');
    is($browser->value_of('Timeout'), '2h', 'to run it again all of it is there');
    is($browser->value_of('Tag'), 'v1', '... in its fields');
    is($browser->value_of('Headers'), '', '... but secrets');
    ok($browser->sees(qr/again: .*Password/), '... as is said');
};


console_story 'a check', {}, sub
{
    my ($console, $browser) = @_;

    my $url = $console->image('team/app');

    signed_in($console);
    $console->goes_to('Preheat');
    $browser->type(field => qr/^Images/, $url);
    $browser->click(button => 'Check');
    ok($browser->shows(heading => 'The job would load this'), 'nothing is run');
    ok($browser->focuses(heading => 'The job would load this'),
       '... the focus is at the result');
    ok($browser->sees(qr/5 tasks/), 'it has the tasks');
    ok($browser->sees(qr{layer\s.*/blobs/sha256:.*\d B}s), '... with their sizes');
    ok($browser->sees(qr/0 of 5/), 'and who holds them');
    $console->is_accessible('check');
    is_deeply($console->servers->client->get(JOBS)->{json}, [],
              'there is no job');
    $browser->type(field => qr/^Images/, IMAGES . '/v2/absent/manifests/1');
    $browser->click(button => 'Check');
    ok($browser->sees(qr/The job would fail.*404/s), 'a job that would fail');
};


console_story 'a job that is kept', { http => "dfpreheat_keep_interval 1s;\n" }, sub
{
    my ($console, $browser) = @_;

    my $servers = $console->servers;
    my $url = $console->image('kept/app');

    signed_in($console);
    $console->goes_to('Preheat');
    $browser->type(field => qr/^Images/, $url);
    $browser->click(button => 'More');
    $browser->type(field => 'Keep until', 'tomorrow');
    $browser->click(button => 'SAVE');
    ok($browser->sees(qr/args\.keep_until.*RFC 3339/), 'what is no time is refused');
    ok($browser->focuses(field => 'Keep until'), '... beside its field');
    $browser->type(field => 'Keep until', in_seconds(HOUR));
    $browser->click(button => 'SAVE');
    ok($browser->shows(heading => qr/^Job 1/), 'the job is shown');
    $servers->ended_job(1, SOON);
    looked($servers, 1);
    $console->comes_to('#/jobs');
    $console->comes_to('#/jobs/1');
    ok($browser->shows(heading => qr/^Kept until/), 'it tells until when it is kept');
    ok($browser->sees(qr/last look.*warmed again\s*0 tasks/s), '... and by whom');
    $console->is_accessible('job-kept');

    # when its time is over, it cannot be posted again with it

    $servers->redis('hset', 'dfpreheat:job:1', 'args',
        $servers->redis('hget', 'dfpreheat:job:1', 'args')
            =~ s/"keep_until":"\d+/"keep_until":"2020/r);
    $console->comes_to('#/jobs');
    $console->comes_to('#/jobs/1');
    ok($browser->shows(heading => qr/^Was kept until/), 'that its time is over');
    $browser->click(link => qr/^Run again/);
    $browser->first(heading => 'Run job 1 again');
    $browser->click(button => 'SAVE');
    ok($browser->shows(heading => qr/^Job 2/), '... it is run again without it');
    ok(!exists $servers->job(2)->{args}{keep_until}, '... and not kept');
};


console_story 'a job is cancelled', {}, sub
{
    my ($console, $browser) = @_;

    my ($id, $path) = gated($console, 'slow');

    signed_in($console);
    $browser->click(link => "Job $id");
    ok($browser->sees(qr/PENDING/), 'while it is PENDING');
    $browser->click(button => 'Cancel');
    ok($browser->shows(dialog => qr/Cancel job $id/), 'it asks first');
    $browser->click(button => 'Keep it');
    ok($browser->focuses(button => 'Cancel'), '... and may be kept');
    $browser->click(button => 'Cancel');
    $browser->first('dialog', qr/./);
    $browser->click(button => 'Cancel the job');
    ok($browser->shows(heading => 'Jobs'), 'then the list is shown');
    ok($browser->sees(qr/no jobs yet/i), '... without it');
    is($console->servers->client->get(JOBS . "/$id")->{status}, 404, 'it is gone');
    $console->comes_to("#/jobs/$id");
    ok($browser->sees(qr/There is no job $id/), '... as its page says');
};


console_story 'the list is live', {}, sub
{
    my ($console, $browser) = @_;

    my ($id, $path) = gated($console, 'first');

    signed_in($console);
    ok($browser->shows(row => qr/PENDING.*\b$id\b/), 'it has a job');
    mark($browser);
    $console->servers->origin->open_gate($path);
    ok($browser->shows(row => qr/SUCCESS.*\b$id\b/, 2 * SOON), 'which ends');

    my ($next, $gate) = gated($console, 'next');

    ok($browser->shows(row => qr/PENDING.*\b$next\b.*0 of 1 task/),
       'another one comes');
    $console->servers->origin->open_gate($gate);
    ok($browser->shows(row => qr/SUCCESS.*\b$next\b/), '... and ends');
    $console->servers->client->request('DELETE', JOBS . "/$next");
    ok($browser->misses(qr/next/), '... and is deleted');

    ok(marked($browser), 'all on the same page');
};


console_story 'filters and pages', {}, sub
{
    my ($console, $browser) = @_;

    $console->servers->ended_job($console->servers->post_files(
        [$_ == 7 ? '/none/special' : "/quick/10/$_"]), SOON) for 1 .. 25;
    signed_in($console);
    ok($browser->sees(qr/25 jobs/), 'all are counted');
    is(scalar $browser->all(row => qr/SUCCESS|FAILURE/), 20, 'a page has twenty');
    $browser->click(button => 'Next');
    ok($browser->shows(row => qr/SUCCESS.*\b1\b/), 'the others are on the next');
    $browser->choose(State => 'FAILURE');
    ok($browser->sees(qr/1 job\b/), 'one has failed');
    ok($browser->shows(row => qr/FAILURE.*special/), '... which is shown');
    $browser->click(link => 'Job 7');
    $browser->first(heading => 'Job 7');
    $browser->back;
    ok($browser->sees(qr/1 job\b/), 'back it is still chosen');
    is($browser->value_of('State'), 'FAILURE', '... in its field, too');
    $browser->choose(State => 'All');
    $browser->type(field => 'URL', 'SPECIAL');
    $browser->press('Enter');
    ok($browser->misses(qr{/quick/}), 'by a part of the URL');
    ok($browser->shows(row => qr/FAILURE.*special/), '... in any letter case');
    $browser->type(field => 'URL', 'absent');
    $browser->press('Enter');
    ok($browser->sees(qr/No job matches/), 'none');
    $browser->click(link => 'Show all jobs');
    ok($browser->sees(qr/25 jobs/), '... and all again');
};


console_story 'what jobs contain is text', {}, sub
{
    my ($console, $browser) = @_;

    my $servers = $console->servers;
    my $evil = EVIL;
    my $path = IMAGES . '/v2/evil/manifests/1';

    $console->registry->answers('/v2/evil/manifests/1', {
        status => 403, body => '{"errors":[{"code":"DENIED","message":'
                               . JSON::PP->new->allow_nonref->encode($evil)
                               . '}]}' });

    for my $args ({ type => 'image', url => $path },
                  { type => 'file', url => $servers->origin_url
                                           . "/quick/10/?x=$evil" })
    {
        my $answer = $servers->client->post(JOBS, {
            type => 'preheat', bio => $evil,
            args => { %$args, tag => $evil, application => $evil } });

        is($answer->{status}, 200, "a job: $args->{type}");
        $servers->ended_job($answer->{json}{id}, SOON);
    }

    signed_in($console);
    ok($browser->sees(qr/\Q$evil\E.*\Q$evil\E/s), 'the list shows it');

    for my $id (1, 2) {
        $browser->click(link => "Job $id");
        $browser->first(heading => "Job $id");
        $browser->click(button => 'Arguments');
        ok($browser->sees(qr/\Q$evil\E.*tag\s+\Q$evil\E/s), "job $id shows it");
        like($browser->text, qr/Why it has failed\s.*\Q$evil\E/s,
             '... the reason, too') if $id == 1;
        $browser->click(button => qr/^Run again/);
        $browser->first(heading => qr/again/);
        is($browser->value_of('Description'), $evil, '... and a form has it');
        ok($browser->sees(qr/curl .*\Qwindow.intruder=1\E/s), '... and curl');
        $console->goes_to('Jobs');
    }

    $console->comes_to("#/jobs?url=$evil");
    $browser->first(heading => 'Jobs');
    is($browser->value_of('URL'), $evil, 'an address that others send is text, too');
};


console_story 'a thousand rows', {}, sub
{
    my ($console, $browser) = @_;

    my $id = $console->servers->post_files(
        [ map { "/quick/10/$_" } 1 .. MANY ], concurrent_task_count => 100);

    $console->servers->ended_job($id, 2 * SOON);
    signed_in($console);
    $browser->click(link => "Job $id");
    ok($browser->sees(qr/1,000 tasks/), 'a job has them');

    for (1 .. MANY / 100) {
        my ($more) = $browser->all(button => qr/^Show 100 more/) or last;
        $browser->click(button => qr/^Show 100 more/);
    }

    is($browser->script('return new Set([...document.querySelectorAll("li .url, '
                        . 'li.url")].map(one => one.textContent)).size'), MANY,
       'all can be seen');
    ok($browser->shows(button => 'Delete', 1), 'and the page still answers');
};


console_story 'a job by the keyboard', {}, sub
{
    my ($console, $browser) = @_;

    my $url = $console->image('by/hand');

    signed_in($console);
    ok($browser->tab_to(button => qr/^Preheat/), 'it reaches the form');
    $browser->press('Enter');
    ok($browser->focuses(heading => 'Preheat'), '... which has the focus');
    ok($browser->tab_to(field => qr/^Images/), 'it reaches its field');
    $browser->press($url, 'Tab', 'by hand');
    ok($browser->tab_to(button => 'More'), 'it opens what is behind More');
    $browser->press('Enter');
    ok($browser->tab_to(field => 'Tag'), '... and goes through it');
    $browser->press('v1');
    ok($browser->tab_to(button => 'SAVE'), 'and saves');
    $browser->press('Enter');
    ok($browser->focuses(heading => qr/^Job 1/), 'the job has the focus');
    ok($browser->sees(qr/SUCCESS/, 2 * SOON), '... and succeeds');
    is(job_shown($console)->{bio}, 'by hand', '... with what was typed');
};

done_testing();
