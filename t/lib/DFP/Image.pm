# Images in a registry that DFP::Upstream plays. Bytes are put there and come
# back as descriptors, which go into what is put there next:
#
#     my $image = DFP::Image->new($upstream, 'app');
#     my $manifest = $image->manifest($image->layer('bytes'));
#     $image->tag('v1', $image->index([ 'linux/amd64', $manifest ]));

package DFP::Image;

use strict;
use warnings;

use Digest::SHA qw( sha256_hex );
use JSON::PP ();

use constant {
    INDEX    => 'application/vnd.oci.image.index.v1+json',
    MANIFEST => 'application/vnd.oci.image.manifest.v1+json',
    CONFIG   => 'application/vnd.oci.image.config.v1+json',
    LAYER    => 'application/vnd.oci.image.layer.v1.tar+gzip',
};

my $json = JSON::PP->new->canonical;
my $tagged = 0;        # images


sub new
{
    my ($class, $upstream, $name, $wrap) = @_;

    # what an answer becomes before it is put there
    $wrap //= sub { +{ @_ } };

    return bless { upstream => $upstream, base => "/v2/$name", wrap => $wrap },
                 $class;
}


# An image of a tag, "1", that has no other name: the paths of its tag, its
# manifest, its config and its two layers. The requests so far are forgotten.

sub tagged
{
    my ($class, $upstream, $wrap) = @_;

    my $n = ++$tagged;
    my $self = $class->new($upstream, "app-$n", $wrap);
    my $manifest = $self->manifest($self->layer("one $n"),
                                   $self->layer("two $n"));

    $self->tag('1', $manifest);
    $upstream->forget_requests;

    return ($self->by_tag('1'), $self->paths($manifest));
}


sub layer
{
    my ($self, $bytes, %answer) = @_;

    return $self->_put('blobs', LAYER, $bytes, %answer);
}


sub manifest
{
    my ($self, @layers) = @_;

    my $config = $self->_put('blobs', CONFIG, $json->encode({
        os => 'linux', layers => [ map { $_->{digest} } @layers ] }));

    return $self->document(MANIFEST, { config => $config,
                                       layers => \@layers });
}


# Blobs of any type; manifests and indexes of any type, with these fields (a
# mediaType that is undef is left out), or of these bytes.

sub blob
{
    my ($self, $type, $bytes, %answer) = @_;

    return $self->_put('blobs', $type, $bytes, %answer);
}


sub document
{
    my ($self, $type, $fields, %answer) = @_;

    my %body = (schemaVersion => 2, mediaType => $type, %$fields);
    delete $body{mediaType} if !defined $body{mediaType};

    return $self->raw($type, $json->encode(\%body), %answer);
}


sub raw
{
    my ($self, $type, $bytes, %answer) = @_;

    return $self->_put('manifests', $type, $bytes, %answer);
}


# Of pairs: a platform, and the manifest for it, with more fields of the entry
# after them; or of what has no platform, by itself.

sub index
{
    my ($self, @entries) = @_;

    return $self->document(INDEX, { manifests => [
        map { ref $_ eq 'ARRAY' ? _entry(@$_) : $_ } @entries ] });
}


sub _entry
{
    my ($platform, $manifest, %more) = @_;

    my ($os, $arch, $variant) = split m{/}, $platform;

    return { %$manifest, %more,
             platform => { os => $os, architecture => $arch,
                           $variant ? (variant => $variant) : () } };
}


# The tag stands for this manifest or index from now on.

sub tag
{
    my ($self, $tag, $descriptor) = @_;

    $self->{upstream}->answers("$self->{base}/manifests/$tag",
                               $self->{answers}{ $descriptor->{digest} });
}


# The path of one of a single layer, as "v1".

sub simple
{
    my ($class, @args) = @_;

    my $image = $class->new(@args);

    $image->tag('v1', $image->manifest($image->layer("top of $args[1]")));

    return $image->by_tag('v1');
}


# Another one of a single layer, as "1": the image, its path by tag, and its manifest.

sub of_layer
{
    my ($class, $upstream, $name, @answer) = @_;

    my $image = $class->new($upstream, $name);
    my $manifest = $image->manifest($image->layer("a layer of $name", @answer));

    $image->tag('1', $manifest);

    return ($image, $image->by_tag('1'), $manifest);
}


# A path by tag answers with this manifest, or 304 to who has that one already.

sub publish
{
    my ($self, $path, $manifest, %answer) = @_;

    my $body = $self->{answers}{ $manifest->{digest} }{body};
    my @headers = (ETag => '"' . sha256_hex($body) . '"',
                   'Content-Type' => $manifest->{mediaType});

    $self->{upstream}->answers($path, {
        %answer, wants => "If-None-Match: $headers[1]", status => 304,
        headers => [ @headers ],
        refusal => { %answer, body => $body, headers => [ @headers ] } });
}


# Paths of what there is: by tag, and by descriptor.

sub by_tag { "$_[0]{base}/manifests/$_[1]" }

sub path
{
    my ($self, $descriptor) = @_;

    my $kind = $descriptor->{mediaType} =~ /index|manifest/ ? 'manifests'
                                                            : 'blobs';

    return "$self->{base}/$kind/$descriptor->{digest}";
}


# The paths of a manifest and of all that is in it; of an index, its own.

sub paths
{
    my ($self, $manifest) = @_;

    my $body = $json->decode(
        $self->{answers}{ $manifest->{digest} }{body});

    return map { $self->path($_) } $manifest, $body->{config} // (),
                                   @{ $body->{layers} // [] };
}


sub _put
{
    my ($self, $kind, $type, $bytes, %answer) = @_;

    my $digest = 'sha256:' . sha256_hex($bytes);
    my $answer = $self->{wrap}->(headers => [ 'Content-Type' => $type ],
                                 body => $bytes, %answer);

    $self->{answers}{$digest} = $answer;
    $self->{upstream}->answers("$self->{base}/$kind/$digest", $answer);

    return { mediaType => $type, digest => $digest,
             size => length $bytes };
}

1;
