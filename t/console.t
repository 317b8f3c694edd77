# The console as people use it: signing in, tokens, clusters, and what is true of
# all of its pages.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw( encode_json );
use Test::More;

use DFP::Client;
use DFP::Console;
use DFP::Process qw( wait_until );

use constant {
    TOKENS  => '/api/v1/personal-access-tokens',
    LATE    => '2037-01-01T00:00:00Z',
    BEFORE  => '2001-01-01T00:00:00Z',
    ADD     => 'ADD PERSONAL ACCESS TOKENS',
    KEY     => 'Token or admin key',
    REVOKED => 1,               # second, until all workers know
};


# A token by the API: its fields.

sub made
{
    my ($console, $name, %fields) = @_;

    return $console->servers->admin->post(TOKENS, {
        name => $name, expired_at => LATE, %fields })->{json};
}


sub patched
{
    my ($console, $id, %fields) = @_;

    return $console->servers->admin->request('PATCH', TOKENS . "/$id",
                                             encode_json(\%fields));
}


# Whether a request of curl with a token gets a status, as soon as all workers
# know of its last change.

sub gets
{
    my ($console, $token, $status) = @_;

    my $client = DFP::Client->new(port => $console->servers->{port},
                                  token => $token);

    return wait_until(REVOKED, sub {
        $client->get('/oapi/v1/jobs')->{status} == $status;
    });
}


# Where a text would be, if the page had not kept it in its memory alone.

sub kept
{
    my ($browser, $text) = @_;

    return $browser->script(<<'END', $text);
const stores = { url: location.href, cookies: document.cookie,
                 localStorage: JSON.stringify(localStorage),
                 sessionStorage: JSON.stringify(sessionStorage),
                 state: JSON.stringify(history.state), window: window.name,
                 page: document.documentElement.outerHTML,
                 fields: [...document.querySelectorAll('input')].map(
                     input => input.value).join() };

return Object.keys(stores).filter(name => stores[name].includes(arguments[0]));
END
}


console_story 'what nginx sends', {}, sub
{
    my $console = shift;

    my $client = DFP::Client->new(port => $console->servers->{port});
    my %types = ('' => 'text/html', 'app.js' => 'text/javascript',
                 'style.css' => 'text/css', 'icon.svg' => 'image/svg+xml',
                 'none' => 'text/html', 'app.js/none' => 'text/html');

    for my $file (sort keys %types) {
        my $answer = $client->get("/console/$file");
        my %header = %{ $answer->{headers} };
        my %policy = map { /^\s*(\S+) ?(.*)$/ ? ($1 => $2) : () }
                     split /;/, $header{'content-security-policy'} // '';

        is($answer->{status}, $file =~ /none/ ? 404 : 200, "/console/$file");
        like($header{'content-type'}, qr/^\Q$types{$file}\E\b/, '... its type');
        is_deeply([ map { $_ // '-' } @policy{qw( default-src script-src
                                                  connect-src base-uri
                                                  form-action
                                                  frame-ancestors )} ],
                  [ "'none'", "'self'", "'self'", ("'none'") x 3 ],
                  '... its policy');
        unlike($header{'content-security-policy'} // '', qr/unsafe|https?:|\*/,
               '... has no exception');
        is($header{'referrer-policy'}, 'no-referrer', '... no referrer');
        is($header{'x-content-type-options'}, 'nosniff', '... no sniffing');
        is($header{'set-cookie'}, undef, '... no cookie');
    }

    is($client->get('/console')->{headers}{location}, '/console/',
       '/console leads to it');
    is($client->request('POST', '/console/', '{}')->{status}, 403,
       'nothing is posted there');
    is($client->get('/console/../../etc/passwd')->{status}, 400,
       'nothing else is served');
};


console_story 'without JavaScript', {}, sub
{
    my ($console, $browser) = @_;

    $browser->javascript(0);
    $browser->reload;
    ok($browser->sees(qr/JavaScript/), 'the page says what is missing');
    ok($browser->sees(qr/curl/), '... and what to use instead');
    $browser->javascript(1);
    $browser->reload;
    ok($browser->shows(button => 'Sign in'), 'with it, it works');
};


console_story 'a wrong key', {}, sub
{
    my ($console, $browser) = @_;

    my %token = map { $_ => made($console, $_) } qw( off late );
    my $other = made($console, 'other', scopes => ['origin-credentials']);

    patched($console, $token{off}{id}, state => 'inactive');
    patched($console, $token{late}{id}, expired_at => BEFORE);
    $console->is_accessible('sign-in');

    for (
        [ '', qr/Enter a/ ],
        [ 'wrong', qr/neither a valid token nor the admin key/ ],
        [ "w\x{f6}rong", qr/characters/ ],
        [ $token{off}{token}, qr/inactive/ ],
        [ $token{late}{token}, qr/expired/ ],
        [ $other->{token}, qr/Required permission: job/ ],
    ) {
        my ($key, $reason) = @$_;

        $browser->type(field => KEY, $key);
        $browser->click(button => 'Sign in');
        ok($browser->sees($reason), "it says why: $reason");
        ok($browser->focuses(field => KEY), '... and waits for another one');
    }

    $console->is_accessible('sign-in-wrong');
};


console_story 'keys are forgotten', {}, sub
{
    my ($console, $browser) = @_;

    my $token = $console->servers->token(qw( job cluster ));

    $console->servers->post_files(['/quick/100/secret-job']);
    $console->sign_in($token);
    ok($browser->sees(qr/secret-job/), 'with a token jobs are shown');
    is_deeply(kept($browser, $token), [], 'which is kept nowhere');
    $console->goes_to('Clusters');
    ok($browser->sees(qr/cluster-1/), 'and clusters');
    $console->goes_to('Tokens');
    ok($browser->sees(qr/needs the admin key/), 'but not tokens');
    $browser->type(field => 'Admin key', $console->admin_key);
    $browser->click(button => 'Sign in');
    ok($browser->shows(button => ADD), 'they need the admin key, too');
    is_deeply(kept($browser, $console->admin_key), [], '... which is kept nowhere');

    $browser->click(button => 'Sign out');
    ok($browser->shows(heading => 'Sign in'), 'signing out');
    ok($browser->misses(qr/test-/), '... shows nothing any more');

    for my $where (qw( back back forward )) {
        $browser->$where;
        ok($browser->shows(heading => 'Sign in')
           && $browser->text !~ /secret-job|cluster-1/, "... nor $where");
    }

    $console->sign_in($token);
    $browser->first(link => qr/Jobs/);
    $browser->reload;
    ok($browser->shows(heading => 'Sign in'), 'a reload forgets them, too');
    is_deeply(kept($browser, $token), [], '... all of it');
};


console_story 'a token', {}, sub
{
    my ($console, $browser) = @_;

    $console->sign_in_as_admin;
    ok($browser->sees(qr/no tokens yet/i), 'at first there is none');
    $console->is_accessible('tokens-empty');
    $browser->click(button => ADD);
    $browser->first(heading => 'New token');
    $console->is_accessible('token-form');

    $browser->click(button => 'SAVE');
    ok($browser->sees(qr/Enter a name/), 'it needs a name');
    ok($browser->focuses(field => qr/^Name/), '... where the focus is');
    made($console, 'taken');
    $browser->type(field => qr/^Name/, 'taken');
    $browser->click(button => 'SAVE');
    ok($browser->sees(qr/exists/), 'of its own');
    ok($browser->focuses(field => qr/^Name/), '... which is said beside it');

    $browser->type(field => qr/^Name/, 'ci');
    $browser->type(field => 'Description', 'of the pipeline');
    $browser->choose(Expiration => '7 days');
    $browser->click(field => 'cluster');
    $browser->click(button => 'SAVE');

    my $token = $browser->sees(qr/^([\w-]{43})$/m);

    ok($token, 'it is shown');
    ok($browser->sees(qr/not shown again/), '... once');
    ok(gets($console, $token, 200), 'curl can use it');
    $console->is_accessible('token-created');
    is($console->copied(qr/^Copy/), $token, 'it can be copied');

    $browser->click(button => 'Done');
    $browser->first(heading => 'Tokens');
    is_deeply(kept($browser, $token), [], 'it is not shown again');
    ok($browser->sees(qr/of the pipeline/), 'the list has it');
    ok($browser->shows(row => qr/active.*ci.*job/), '... with its scopes');
    unlike($browser->text, qr/job, cluster, /, '... that were chosen');
    $console->is_accessible('tokens');

    for my $where ('New token', 'Tokens') {
        $browser->back;
        $browser->first(heading => $where);
        is_deeply(kept($browser, $token), [], "nor by going back to $where");
    }
};


console_story 'tokens are managed', {}, sub
{
    my ($console, $browser) = @_;

    my $token = made($console, 'ci')->{token};

    $console->sign_in_as_admin;
    $browser->click(button => qr/^Deactivate/);
    ok($browser->shows(dialog => qr/Deactivate ci/), 'it asks first');
    ok($browser->focuses(button => 'Keep it'), '... with the focus on what is safe');
    $console->is_accessible('dialog');
    $browser->press('Escape');
    ok($browser->focuses(button => qr/^Deactivate/), '... and goes back there');
    ok(gets($console, $token, 200), '... nothing has happened');

    $browser->click(button => qr/^Deactivate/);
    $browser->first('dialog', qr/./);
    $browser->click(button => 'Deactivate');
    ok($browser->shows(row => qr/^inactive.*ci/), 'it is inactive');
    ok($browser->focuses(button => qr/^Activate/), '... the focus is there');
    ok(gets($console, $token, 403), '... also for curl');
    $browser->click(button => qr/^Activate/);
    ok($browser->shows(row => qr/^active.*ci/), 'it is active again');
    ok(gets($console, $token, 200), '... also for curl');
    $browser->click(button => qr/^Delete/);
    $browser->first('dialog', qr/./);
    $browser->click(button => 'Delete');
    ok($browser->sees(qr/no tokens yet/i), 'it is deleted');
    ok(gets($console, $token, 401), '... also for curl');
};


console_story 'a token that is deleted in another tab', {}, sub
{
    my ($console, $browser) = @_;

    my $token = made($console, 'ci')->{token};
    my $first = $browser->window;

    $console->sign_in($token);
    ok($browser->sees(qr/no jobs yet/i), 'it works');
    $browser->new_window;
    $browser->open($console->url);
    $console->sign_in_as_admin;
    $browser->click(button => qr/^Delete/);
    $browser->first('dialog', qr/./);
    $browser->click(button => 'Delete');
    $browser->sees(qr/no tokens yet/i);
    $browser->close_window;
    $browser->go_to($first);

    ok($browser->shows(heading => 'Sign in'), 'then one has to sign in again');
    like($browser->text, qr/not valid any more/, '... and reads why');
    unlike($browser->text, qr/no jobs yet/i, '... and no more than that');
    ok($browser->focuses(qw( heading ), 'Sign in'), '... the focus is there');
};


console_story 'a token that is deactivated', {}, sub
{
    my ($console, $browser) = @_;

    my $made = made($console, 'ci');

    $console->sign_in($made->{token});
    $browser->sees(qr/no jobs yet/i);
    patched($console, $made->{id}, state => 'inactive');
    ok($browser->sees(qr/Token is inactive/), 'the reason is shown');
    ok($browser->shows(button => 'Sign in'), '... above a form for another one');
};


console_story 'nginx is unreachable', {}, sub
{
    my ($console, $browser) = @_;

    $console->expects(qr/ERR_/);
    $console->sign_in($console->servers->token(qw( job cluster )));
    ok($browser->sees(qr/no jobs yet/i), 'jobs are shown');
    $console->servers->nginx_end('TERM');
    $browser->click(link => 'Clusters');
    ok($browser->sees(qr/cannot be reached/), 'the page says so');
    ok($browser->shows(button => 'Try again'), '... and can try again');
    $console->is_accessible('unreachable');
    $console->servers->nginx_start;
    $browser->click(button => 'Try again');
    ok($browser->sees(qr/cluster-1/), 'when nginx is back, it goes on');
};


console_story 'dates', {}, sub
{
    my ($console, $browser) = @_;

    made($console, 'ci');
    $browser->zone('Asia/Tokyo');
    $console->sign_in_as_admin;
    ok($browser->sees(qr/2037-01-01 09:00/), "are in the reader's time zone");
    is($browser->script('return [...document.querySelectorAll("time")]'
                        . '.map(time => time.title)')->[0],
       '2037-01-01 00:00:00.000 UTC', '... with UTC behind them');
    $browser->zone('');
};


console_story 'texts of tokens', {}, sub
{
    my ($console, $browser) = @_;

    my $evil = '<img src=x onerror="window.intruder=1"><script>window.intruder=1'
               . '</script>';

    made($console, "$evil \x{202e}abc", bio => $evil);
    $console->sign_in_as_admin;
    ok($browser->sees(qr/\Q$evil\E.*\Q$evil\E/s), 'are texts');
    $browser->click(button => qr/^Delete/);
    ok($browser->shows(dialog => qr/\Q$evil\E/), 'also in a question');
    $browser->click(button => 'Keep it');
};


console_story 'clusters', {
    http => 'dfpreheat_cluster 2 name=<b>edge</b> engine=cache;',
}, sub
{
    my ($console, $browser) = @_;

    $console->sign_in($console->servers->token('cluster'));
    ok($browser->shows(heading => 'Clusters'),
       'a token that permits nothing else shows them');
    ok($browser->sees(qr/cluster-1.*<b>edge<\/b>/s), 'all of them');
    ok($browser->sees(qr/running/), '... and what runs');
    $console->is_accessible('clusters');
};


console_story 'the keyboard', {}, sub
{
    my ($console, $browser) = @_;

    ok($browser->focuses(field => KEY), 'begins where one signs in');
    $browser->press('Shift+Tab', 'Shift+Tab');
    ok($browser->focuses('link', 'Skip to content'),
       'the first link skips the others');
    $browser->press('Enter');
    ok($browser->focuses(heading => 'Sign in'), '... to the content');
    $browser->tab_to(field => KEY);
    $browser->press($console->admin_key, 'Enter');
    $browser->first(button => 'Sign out');
    ok($browser->focuses(heading => 'Tokens'), 'goes on with the page');
    ok($browser->tab_to(button => ADD), 'reaches the button');
    ok($browser->has_outline, '... and it shows');
    $browser->press('Enter');
    $browser->first(heading => 'New token');
    ok($browser->focuses(heading => 'New token'), 'opens the form');
    ok($browser->tab_to(field => qr/^Name/), 'goes to the first field');
    $browser->press('ci', 'Tab', 'by hand', 'Enter');

    my $token = $browser->sees(qr/^([\w-]{43})$/m);

    ok($token, 'and Enter saves it');
    ok($browser->focuses(heading => qr/created/), '... the focus is at the token');
    ok($browser->tab_to(button => 'Use it in this page'), 'which is used');
    $browser->press('Enter');
    $browser->first(heading => 'Jobs');
    ok($browser->focuses(heading => 'Jobs'), '... for jobs');
    is($browser->script('return document.documentElement.lang'), 'en',
       'a screen reader knows the language');
};

done_testing();
