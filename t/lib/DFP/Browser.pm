# Debian's chromium without a screen, as a person uses it: it clicks and types
# what can be seen, and finds it by its role and its name.
#
#     my $browser = DFP::Browser->start;
#
#     $browser->open('http://127.0.0.1:1234/console/');
#     $browser->type(field => 'Name', 'ci');
#     $browser->click(button => 'Save');
#     ok($browser->sees(qr/shown once/), 'the page says so');
#
# A role is button (also a link that looks like one), link, field, heading, row
# or dialog; a name is a text (in any letter case) or a pattern. What is not
# there yet is waited for.

package DFP::Browser;

use strict;
use warnings;

use parent 'DFP::Driver';

use JSON::PP ();
use MIME::Base64 qw( decode_base64 );

use DFP::Process qw( busy wait_until );

use constant {
    SOON          => 10,    # s: what a page shows at last
    ANSWER_MS     => 500,   # within which a page answers an input
    ELEMENT       => 'element-6066-11e4-a52e-4f735466cecf',
    WIDTH         => 1200,
    HEIGHT        => 900,
    PHONE_WIDTH   => 360,
    PHONE_HEIGHT  => 740,
};

my %keys = (Tab => "\x{e004}", Enter => "\x{e007}", Escape => "\x{e00c}",
            Shift => "\x{e008}");

# Runs in the page: the elements of a role that can be seen and have a name.

my $find = <<'END';
const roles = {
    button: 'button, [role=button], summary, input[type=submit], a.button[href]',
    link: 'a[href]',
    field: 'input:not([type=hidden]), select, textarea',
    heading: 'h1, h2, h3, h4',
    row: 'tr, [role=row], li',
    dialog: 'dialog[open], [role=dialog], [role=alertdialog]',
};
const [role, name, pattern] = arguments;
const plain = text => (text || '').replace(/\s+/g, ' ').trim();
const text_of = element => plain(element.innerText);
const labels = element => {
    const by = element.getAttribute('aria-labelledby');

    if (by) {
        return plain(by.split(/\s+/).map(
            id => document.getElementById(id)?.innerText).join(' '));
    }

    return plain(element.getAttribute('aria-label'))
           || (element.labels && element.labels.length
               ? plain([...element.labels].map(text_of).join(' ')) : '')
           || (element.matches('input[type=submit]') ? element.value : '')
           || (element.matches(roles.field) ? '' : text_of(element))
           || plain(element.title);
};
const matches = pattern
    ? text => new RegExp(name, 'is').test(text)
    : text => text.toLowerCase() === name.toLowerCase();
const open = [...document.querySelectorAll('dialog[open]')].pop();

return [...(open || document).querySelectorAll(roles[role])].concat(
    role === 'dialog' && open ? [open] : [])
    .filter(element => element.checkVisibility({ visibilityProperty: true })
                       && matches(labels(element)));
END


# The page

sub open
{
    my ($self, $url) = @_;

    $self->_do('POST', '/url', { url => $url });
}


sub url { $_[0]->_do('GET', '/url') }

sub back { $_[0]->_do('POST', '/back', {}) }

sub forward { $_[0]->_do('POST', '/forward', {}) }

sub reload { $_[0]->_do('POST', '/refresh', {}) }


# What a function's body returns in the page; one that waits calls the last of
# its arguments.

sub script
{
    my ($self, $body, @arguments) = @_;

    return $self->_do('POST', '/execute/sync', { script => $body,
                                                 args => \@arguments });
}


sub script_that_waits
{
    my ($self, $body, @arguments) = @_;

    return $self->_do('POST', '/execute/async', { script => $body,
                                                  args => \@arguments });
}


# All that can be read.

sub text { $_[0]->script('return document.body.innerText') // '' }


# Whether it can be read at last: the text, with its pattern's first group.

sub sees
{
    my ($self, $pattern, $seconds) = @_;

    my $text;

    return wait_until($seconds // SOON, sub {
        $text = $self->text;
        $text =~ $pattern ? $1 // $& : undef;
    }) || do { $self->{missed} = $text; undef };
}


# Whether it cannot be read any more.

sub misses
{
    my ($self, $pattern, $seconds) = @_;

    return wait_until($seconds // SOON, sub { $self->text !~ $pattern });
}


# The elements of a role and name that can be seen now; the first of them at last.

sub all
{
    my ($self, $role, $name) = @_;

    return @{ $self->script($find, $role, _source($name),
                            ref $name ? JSON::PP::true : JSON::PP::false) };
}


# A pattern of perl as one of JavaScript.

sub _source
{
    my $name = shift;

    return ref $name ? "$name" =~ s/^\(\?\^\w*:(.*)\)\z/$1/sr : $name;
}


sub first
{
    my ($self, $role, $name, $seconds) = @_;

    my $found;

    wait_until($seconds // SOON, sub {
        ($found) = $self->all($role, $name);
        $found;
    }) or die "no $role \"$name\" can be seen in:\n" . $self->text;

    return $found;
}


sub shows
{
    my ($self, $role, $name, $seconds) = @_;

    return eval { $self->first($role, $name, $seconds); 1 } ? 1 : 0;
}


# What a person does. The page may replace what was found before it is clicked.

sub click
{
    my ($self, $role, $name) = @_;

    my $error;

    wait_until(SOON, sub {
        my $element = $self->first($role, $name);

        eval { $self->_do('POST', "/element/$element->{+ELEMENT}/click", {});
               1 } and return 1;
        $error = $@;
        die $error if $error !~ /^(?:stale|element (?:not|click))/;
        return 0;
    }) or die "$role \"$name\": $error";
}


# Replaces what is in a field.

sub type
{
    my ($self, $role, $name, $text) = @_;

    my $element = $self->first($role, $name);

    $self->_do('POST', "/element/$element->{+ELEMENT}/clear", {});
    $self->_do('POST', "/element/$element->{+ELEMENT}/value",
               { text => $text }) if $text ne '';
}


# An option of a select, by what is shown, or its value.

sub choose
{
    my ($self, $name, $option) = @_;

    my $element = $self->first(field => $name);

    $self->script(<<'END', $element, $option) or die "$name has no $option\n";
const [select, wanted] = arguments;
const option = [...select.options].find(
    o => o.label.trim() === wanted || o.value === wanted);

if (!option) {
    return false;
}

select.value = option.value;
select.dispatchEvent(new Event('input', { bubbles: true }));
select.dispatchEvent(new Event('change', { bubbles: true }));
return true;
END
}


sub value_of
{
    my ($self, $name) = @_;

    return $self->script('return arguments[0].type === "checkbox" '
                         . '? arguments[0].checked : arguments[0].value',
                         $self->first(field => $name));
}


# Keys, one after the other: names such as Tab, Shift+Tab, or text.

sub press
{
    my ($self, @strokes) = @_;

    my @actions;

    for my $stroke (@strokes) {
        my ($shift, $name) = $stroke =~ /^(Shift\+)?(.+)\z/s;

        push @actions, _key(keyDown => 'Shift') if $shift;

        for my $key ($keys{$name} ? $name : split //, $name) {
            push @actions, _key(keyDown => $key), _key(keyUp => $key);
        }

        push @actions, _key(keyUp => 'Shift') if $shift;
    }

    $self->_do('POST', '/actions', { actions => [
        { type => 'key', id => 'keyboard', actions => \@actions } ] });
}


sub _key
{
    my ($type, $key) = @_;

    return { type => $type, value => $keys{$key} // $key };
}


# What has the focus, as it can be found: "button Save".

sub focus
{
    my $self = shift;

    return $self->script(<<'END');
const at = document.activeElement;
const plain = text => (text || '').replace(/\s+/g, ' ').trim();
const role = /^(input|select|textarea)$/.test(at.localName) ? 'field'
    : at.matches('a.button') ? 'button'
    : /^h\d$/.test(at.localName) ? 'heading'
    : ({ a: 'link', summary: 'button' })[at.localName] || at.localName;
const by = at.getAttribute('aria-labelledby');
const name = by ? by.split(/\s+/).map(
                      id => document.getElementById(id)?.innerText).join(' ')
    : at.getAttribute('aria-label')
      || (at.labels && at.labels.length
          ? [...at.labels].map(l => l.innerText).join(' ') : '')
      || (role === 'field' || role === 'body' ? '' : at.innerText);

return (role + ' ' + plain(name)).trim();
END
}


# Whether it has the focus at last.

sub focuses
{
    my ($self, $role, $name) = @_;

    my $wanted = _focused($role, $name);

    return wait_until(SOON, sub { $self->focus =~ $wanted });
}


sub _focused
{
    my ($role, $name) = @_;

    return qr/^$role \Q$name\E\z/i if !ref $name;

    # the beginning of the name follows the role

    my $source = _source($name);

    return $source =~ s/^\^// ? qr/^$role $source/is : qr/^$role .*$source/is;
}


# Whether a person sees what has the focus.

sub has_outline
{
    my $self = shift;

    return $self->script(<<'END');
const style = getComputedStyle(document.activeElement);

return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
       || style.boxShadow !== 'none';
END
}


# Moves on with Tab until something has the focus; how many times, or nothing.

sub tab_to
{
    my ($self, $role, $name, $most) = @_;

    my $wanted = _focused($role, $name);

    for my $times (1 .. $most // 60) {
        $self->press('Tab');
        return $times if $self->focus =~ $wanted;
    }

    return;
}


# Windows: the one that is used, another one, and going there.

sub window { $_[0]->_do('GET', '/window') }


sub new_window
{
    my $self = shift;

    my $window = $self->_do('POST', '/window/new', { type => 'tab' });

    $self->go_to($window->{handle});
    $self->window_begins;
}


sub go_to { $_[0]->_do('POST', '/window', { handle => $_[1] }) }


sub close_window { $_[0]->_do('DELETE', '/window') }


# A dialog of the browser itself (alert, confirm) that is open; its text.

sub prompt { scalar eval { $_[0]->_do('GET', '/alert/text') } }


# The look: desktop or phone, light or dark.

sub desktop { $_[0]->size(WIDTH, HEIGHT, JSON::PP::false) }

sub phone { $_[0]->size(PHONE_WIDTH, PHONE_HEIGHT, JSON::PP::true) }


sub size
{
    my ($self, $width, $height, $mobile) = @_;

    $self->devtools('Emulation.setDeviceMetricsOverride', width => $width,
                    height => $height, deviceScaleFactor => 1,
                    mobile => $mobile);
}


sub light { $_[0]->_scheme('light') }

sub dark { $_[0]->_scheme('dark') }


sub _scheme
{
    my ($self, $light_or_dark) = @_;

    $self->devtools('Emulation.setEmulatedMedia', features => [
        { name => 'prefers-color-scheme', value => $light_or_dark },
        { name => 'prefers-reduced-motion', value => 'reduce' } ]);
}


sub zone
{
    my ($self, $name) = @_;

    $self->devtools('Emulation.setTimezoneOverride', timezoneId => $name);
}


sub javascript
{
    my ($self, $on) = @_;

    $self->devtools('Emulation.setScriptExecutionDisabled',
                    value => $on ? JSON::PP::false : JSON::PP::true);
}


sub clipboard
{
    return $_[0]->script_that_waits(
        'navigator.clipboard.readText().then(arguments[0], arguments[0])');
}


# A picture of what can be seen: the bytes of a PNG.

sub picture { decode_base64($_[0]->_do('GET', '/screenshot')) }


# The lines of level WARNING and SEVERE in the console since it was asked last.

sub complaints
{
    my $self = shift;

    return map { "$_->{level} $_->{message}" }
           grep { $_->{level} =~ /^(?:WARNING|SEVERE)$/ }
           @{ $self->_do('POST', '/se/log', { type => 'browser' }) };
}


# The URLs that this document has requested, and how much of the page has moved
# by itself (the sum of its layout shifts). Chromium has its own half second after
# an input, within which nobody minds; on a busy machine pages need longer.

sub requested
{
    my $self = shift;

    return @{ $self->script('return performance.getEntries()'
                            . '.filter(e => e.initiatorType)'
                            . '.map(e => e.name)') };
}


sub moved
{
    my $self = shift;

    return $self->script_that_waits(<<'END', ANSWER_MS * busy());
const [ms, done] = arguments;
const answers = one => window.touched.some(
    at => one.startTime >= at && one.startTime < at + ms);

requestAnimationFrame(() => requestAnimationFrame(() => {
    window.shifts.push(...window.shiftObserver.takeRecords());
    done(window.shifts.filter(one => !one.hadRecentInput && !answers(one))
                      .reduce((sum, one) => sum + one.value, 0));
}));
END
}


# What it has moved by so far was the fault of somebody else.

sub may_move
{
    my $self = shift;

    $self->moved;
    $self->script('window.shifts = []');
}

1;
