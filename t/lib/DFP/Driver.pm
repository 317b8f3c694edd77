# chromium and chromedriver, which speaks WebDriver over HTTP: what a DFP::Browser is
# built on. Both are stopped when the test ends, however it ends. The browser
# reaches nothing but 127.0.0.1.

package DFP::Driver;

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();

use DFP::Client;
use DFP::Process qw( adopt children free_port gone spawn stop wait_until );

use constant {
    START_TRIES   => 5,
    START_SECONDS => 30,
    ANSWER        => 60,    # s: of chromedriver
    STOP_SECONDS  => 5,     # for the processes of chromium to end after it
};

my @started;

my @quiet = map { "--$_" } (
    qw( disable-background-networking disable-component-update
        disable-default-apps disable-sync disable-extensions disable-breakpad
        disable-domain-reliability disable-client-side-phishing-detection
        no-first-run no-pings disable-dev-shm-usage disable-gpu
        password-store=basic ),
    'disable-features=MediaRouter,OptimizationHints,Translate');

my $json = JSON::PP->new->allow_nonref->utf8;

# Runs before each page: it keeps what the page requests, and how far it has moved
# what can be read while nobody touched it.

my $before = <<'END';
performance.setResourceTimingBufferSize(100000);
window.shifts = [];
window.touched = [];

for (const what of ['pointerdown', 'keydown', 'hashchange']) {
    addEventListener(what, () => window.touched.push(performance.now()), true);
}

const keep = entries => window.shifts.push(...entries);

window.shiftObserver = new PerformanceObserver(list => keep(list.getEntries()));
window.shiftObserver.observe({ type: 'layout-shift', buffered: true });
END


sub start
{
    my $class = shift;

    my $self = bless {
        profile => File::Temp->newdir('dfpreheat-browser-XXXXXXXX',
                                      TMPDIR => 1),
    }, $class;

    $self->_driver_start;
    $self->_session_start;
    $self->window_begins;
    $self->devtools('Browser.grantPermissions', permissions =>
                    ['clipboardReadWrite', 'clipboardSanitizedWrite']);

    return $self;
}


sub _driver_start
{
    my $self = shift;

    # chromium keeps what is not in its profile in the home

    local @ENV{qw( HOME XDG_CONFIG_HOME XDG_CACHE_HOME )}
        = ("$self->{profile}") x 3;

    for (1 .. START_TRIES) {
        my $port = free_port();

        $self->{client} = DFP::Client->new(port => $port);

        my $pid = spawn("$self->{profile}/driver.out", 'chromedriver',
                        "--port=$port");

        return $self->{driver} = $pid if wait_until(START_SECONDS, sub {
            gone($pid) || eval { $self->_ask('GET', '/status') }
        }) && !gone($pid);

        stop($pid);
    }

    die 'chromedriver does not start';
}


sub _session_start
{
    my $self = shift;

    my @root = $> == 0 ? '--no-sandbox' : ();
    my $options = {
        args => [ '--headless', "--user-data-dir=$self->{profile}/data", @root,
                  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
                  @quiet ],
    };

    my $session = $self->_ask('POST', '/session', {
        capabilities => { alwaysMatch => {
            'unhandledPromptBehavior' => 'ignore',
            'goog:chromeOptions' => $options,
            'goog:loggingPrefs' => { browser => 'ALL' },
        } },
    });

    # chromedriver leaves it behind when it is stopped itself

    $self->{chromium} = $session->{capabilities}{'goog:processID'};
    adopt($self->{chromium});
    push @started, $self->{chromium};
    $self->{session} = "/session/$session->{sessionId}";
}


# What is said to each window once.

sub window_begins
{
    my $self = shift;

    $self->devtools('Page.addScriptToEvaluateOnNewDocument',
                    source => $before);
    $self->desktop;
}


# What chromedriver answers; it dies of an error.

sub _ask
{
    my ($self, $method, $path, $body) = @_;

    my $client = $self->{client};

    $client->start($method, $path, $body && $json->encode($body));

    my $answer = $client->finish(ANSWER);
    my $value = eval { $json->decode($answer->{body})->{value} };

    if ($answer->{status} != 200) {
        my ($error, $message) = ref $value ? @$value{qw( error message )}
                                           : ($answer->{body}, '');

        die "$error: " . ($message =~ s/\n.*//sr) . "\n";
    }

    return $value;
}


# The same in the session.

sub _do
{
    my ($self, $method, $path, $body) = @_;

    return $self->_ask($method, $self->{session} . $path, $body);
}


# DevTools' protocol

sub devtools
{
    my ($self, $command, %params) = @_;

    return $self->_do('POST', '/goog/cdp/execute', { cmd => $command,
                                                     params => \%params });
}


# Its processes write to its profile until they have ended.

END {
    my $status = $?;
    my @all = map { _family($_) } @started;

    stop($_) for @started;
    wait_until(STOP_SECONDS, sub { !grep { !gone($_) } @all });
    $? = $status;
}


sub _family
{
    my @children = children(shift);

    return (@children, map { _family($_) } @children);
}

1;
