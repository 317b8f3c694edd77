# Stories of the console in a browser, which is the same for all stories of a suite:
#
#     console_story 'what a person would see', {}, sub {
#         my ($console, $browser) = @_;
#
#         $console->sign_in($console->servers->token);
#         ok($browser->sees(qr/no jobs/i), 'nothing is there yet');
#     };
#
# The options are those of DFP::Servers. Each story ends with what is true of all of
# them: the page has requested nothing elsewhere, has run nothing that a job
# contains, has not complained, and has not moved by itself. What it complains about
# because the story is about an error is given to $console->expects().

package DFP::Console;

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use File::Basename qw( dirname );
use File::Path qw( make_path );
use JSON::PP qw( decode_json );
use Test::More;

use DFP::Browser;
use DFP::Image;
use DFP::Process qw( wait_until );
use DFP::Servers;
use DFP::Story qw( story );
use DFP::Upstream;

our @EXPORT = qw( console_story IMAGES SOON );

use constant {
    IMAGES    => 'http://registry.test',
    SOON      => 15,        # s: what needs no timer
    SHIFT_MAX => 0.1,       # layout shifts that nobody minds
};

my $top = abs_path(dirname(__FILE__) . '/../../..');
my ($browser, $registry, $axe);

# An answer of the API that the page shows to a person is in the console, too.

my $answered = qr{/(?:oapi|api)/v1/\S* - Failed to load resource: the server}
               . ' responded with a status of 4';


sub console_story
{
    my ($name, $options, $code) = @_;


    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $browser //= DFP::Browser->start;
    $registry //= DFP::Upstream->start;

    my $server = ($options->{server} // '') . <<"END";
        include console.conf;

        location /v2/ {
            dfpreheat_origin ${\ IMAGES };
            proxy_pass http://127.0.0.1:${\ $registry->port };
            proxy_cache files;
            include cache.conf;
        }
END

    story $name, { before_nginx => \&_console_conf, %$options,
                   server => $server }, sub {
        my $servers = shift;

        my $self = bless { servers => $servers, expected => [] }, __PACKAGE__;

        $browser->complaints;
        $browser->light;
        $browser->desktop;
        $browser->open($self->url);
        $code->($self, $browser);
        $self->_is_well;
        $browser->open('about:blank');
    };
}


# The file that users include, with the files of this tree.

sub _console_conf
{
    my $servers = shift;

    open my $in, '<', "$top/conf/dfpreheat_console.conf" or die "open: $!";
    my $conf = do { local $/; <$in> };

    $conf =~ s{/usr/share/dfpreheat/console/}{$top/console/}
        or die 'dfpreheat_console.conf has no alias';

    open my $out, '>', "$servers->{dir}/console.conf" or die "open: $!";
    print {$out} $conf;
    close $out or die "close: $!";
}


sub servers { $_[0]{servers} }

sub browser { $browser }

sub origin { "http://127.0.0.1:$_[0]{servers}{port}" }

sub url { $_[0]->origin . '/console/' }


# Lines of the browser's console that are no fault.

sub expects
{
    my ($self, $pattern) = @_;

    push @{ $self->{expected} }, $pattern;
}


sub _is_well
{
    my $self = shift;

    my $origin = $self->origin;
    my @elsewhere = grep { !m{^\Q$origin\E/} } $browser->requested;

    $self->_stands_still;
    is_deeply(\@elsewhere, [], 'the page has requested nothing elsewhere');
    is($browser->prompt, undef, '... and opens no dialog of the browser');
    is($browser->script('return window.intruder'), undef,
       '... and has run nothing of a job');
    $self->_is_quiet;
}


sub _is_quiet
{
    my $self = shift;

    my @complaints = grep { !/$answered/ } $browser->complaints;

    for my $expected (@{ $self->{expected} }) {
        @complaints = grep { $_ !~ $expected } @complaints;
    }

    is_deeply(\@complaints, [], '... and has no errors');
}


# What a person does first.

sub sign_in
{
    my ($self, $key) = @_;

    $self->{token} = $key;
    $browser->type(field => qr/^(?:token|admin key)/, $key);
    $browser->click(button => 'Sign in');
    $browser->first(button => 'Sign out');
}


sub sign_in_as_admin { $_[0]->sign_in($_[0]->admin_key) }

sub admin_key { DFP::Servers::ADMIN_KEY() }


# Goes to a page by the link above.

sub goes_to
{
    my ($self, $name) = @_;

    $browser->click(link => $name);
    $browser->first(heading => $name);
}


# An address that somebody else has sent.

sub comes_to
{
    my ($self, $address, $key) = @_;

    $browser->open('about:blank');
    $browser->open($self->url . $address);
    $self->sign_in($key // $self->{token});
}


# What the button beside a text copies.

sub copied
{
    my ($self, $name) = @_;

    $browser->click(button => $name);
    $browser->sees(qr/Copied/) or return '';

    return $browser->clipboard;
}


# An image of two layers in the registry: its URL. Its layers are sent with as many
# seconds between two bytes as are given.

sub image
{
    my ($self, $name, %layer) = @_;

    my $image = DFP::Image->new($registry, $name);

    $image->tag('1.0', $image->manifest(
        map { $image->layer("$name, layer $_", %layer) } 1 .. 2));

    return IMAGES . "/v2/$name/manifests/1.0";
}


sub registry { $registry }


# What a command of a shell prints, with $TOKEN set: its JSON.

sub shell
{
    my ($self, $command) = @_;

    local $ENV{TOKEN} = $self->{token};

    return decode_json(scalar `$command`);
}


# axe-core finds nothing serious in what is shown, by day, by night (which changes
# colours only) and on a phone, where all of it fits into the width; pictures of it
# are kept.

sub is_accessible
{
    my ($self, $name) = @_;

    $self->_stands_still;
    $self->_looked_at($name, 'light');
    $browser->dark;
    $self->_looked_at($name, 'dark');
    $browser->light;
    $browser->phone;
    $self->_looked_at($name, 'phone');
    cmp_ok($browser->script(
               'return document.documentElement.scrollWidth - innerWidth'),
           '<=', 0, "$name fits into the width of a phone");
    $browser->desktop;
    $browser->may_move;
}


# Since it was looked at last, or was opened.

sub _stands_still
{
    my $self = shift;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    cmp_ok($browser->moved, '<', SHIFT_MAX, 'the page does not move by itself');
}


sub _looked_at
{
    my ($self, $name, $look) = @_;

    my @rules = $look eq 'dark' ? qw( color-contrast link-in-text-block ) : ();

    is_deeply([ $self->_barriers(@rules) ], [], "$name is accessible: $look");
    $self->picture("$name-$look");
}


# Of all rules of axe-core, or of these.

sub _barriers
{
    my ($self, @rules) = @_;

    $axe //= _axe();
    $browser->script($axe) if !$browser->script('return "axe" in window');

    return @{ $browser->script_that_waits(<<'END', @rules) };
const rules = [...arguments];
const done = rules.pop();
const options = { resultTypes: ['violations'], preload: false };

if (rules.length) {
    options.runOnly = { type: 'rule', values: rules };
}

axe.run(document, options).then(found => done(
    found.violations
        .filter(one => ['serious', 'critical'].includes(one.impact))
        .flatMap(one => one.nodes.map(
            node => `${one.id}: ${node.html}: ${node.failureSummary}`))),
    error => done([String(error)]));
END
}


sub _axe
{
    my $file = "$top/build/axe.min.js";

    system("$top/tools/axe.sh", $file) == 0 or die 'no axe-core';

    open my $in, '<:encoding(UTF-8)', $file or die "$file: $!";
    local $/;

    return scalar <$in>;
}


# A picture of what can be seen, in build/screens/ or a folder of the tree.

sub picture
{
    my ($self, $name, $folder) = @_;

    $folder = "$top/" . ($folder // 'build/screens');
    make_path($folder);

    open my $out, '>:raw', "$folder/$name.png" or die "$name: $!";
    print {$out} $browser->picture;
    close $out or die "$name: $!";
}


1;
