# Webhooks of jobs, and what their receiver, a DFP::Upstream, has got:
#
#     my $hooks = DFP::Hooks->new('/a', { status => 204 });
#     my $id = $hooks->post($servers, ['/quick/100/a']);
#     my ($delivery) = $hooks->deliveries;
#
# The path is one of the receiver's own, and the answers are those of DFP::Upstream.

package DFP::Hooks;

use strict;
use warnings;

use Digest::SHA qw( hmac_sha256_base64 );
use JSON::PP qw( decode_json );

use DFP::Process qw( wait_until );
use DFP::Upstream;
use DFP::Warm ();

use constant SECRET => 'the secret of the webhook';

my $receiver;       # one for all


sub new
{
    my ($class, $path, @answers) = @_;

    $receiver //= DFP::Upstream->start;

    my $self = bless { path => $path, secret => SECRET }, $class;

    $self->answers(@answers);

    return $self;
}


# Replaces what the receiver answers.

sub answers
{
    my ($self, @answers) = @_;

    $receiver->answers("POST $self->{path}", @answers);
}


sub receiver { $receiver }


sub origin { $receiver //= DFP::Upstream->start;
             return 'http://127.0.0.1:' . $receiver->port }


sub url { $_[0]->origin . $_[0]{path} . ($_[0]{query} // '') }


# The location through which it is called.

sub location { DFP::Warm::calls(origin()) }


# Posts a job of files with this webhook; its id, and the whole answer. Other
# arguments are those of the job; secret and url are others for the webhook.

sub post
{
    my ($self, $servers, $paths, %args) = @_;

    my %webhook = (url => delete $args{url} // $self->url,
                   secret => delete $args{secret} // $self->{secret});
    my $answer = $servers->client->post('/oapi/v1/jobs', {
        %{ $servers->files($paths, %args) }, webhook => \%webhook });

    die "no job: $answer->{body}" if $answer->{status} != 200;

    return wantarray ? ($answer->{json}{id}, $answer) : $answer->{json}{id};
}


# What has arrived: the headers by their names in lower case, body, and the same
# parsed, job.

sub deliveries
{
    my $self = shift;

    return map {
        my ($head, $body) = split /\r\n\r\n/, $_, 2;
        my %headers = map { /^([^:]+): (.*)$/ ? (lc $1, $2) : () }
                      split /\r\n/, $head;

        { headers => \%headers, body => $body, job => decode_json($body) };
    } $receiver->requests("POST $self->{path}");
}


# Whether the signature is the one that a receiver computes.

sub is_signed
{
    my ($self, $delivery, $key) = @_;

    my $headers = $delivery->{headers};
    my $text = join '.', @$headers{qw( webhook-id webhook-timestamp )},
                         $delivery->{body};

    return $headers->{'webhook-signature'}
           eq 'v1,' . hmac_sha256_base64($text, $key // $self->{secret}) . '=';
}


# The delivery as the job shows it, as soon as its state is none of PENDING, or the
# condition holds, or when time is up.

sub state_of
{
    my ($self, $servers, $id, $seconds, $condition) = @_;

    my $webhook;

    $condition //= sub { $_[0]{state} ne 'PENDING' };

    wait_until($seconds, sub {
        $webhook = $servers->job($id)->{webhook};
        $condition->($webhook);
    });

    return $webhook;
}

1;
