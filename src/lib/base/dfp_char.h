/*
 * Classes of ASCII characters, whatever the locale.
 */

#ifndef DFP_CHAR_H
#define DFP_CHAR_H


#include <string.h>


static inline int
dfp_alnum(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
           || (ch >= '0' && ch <= '9');
}


static inline char
dfp_lower(char ch)
{
    return (ch >= 'A' && ch <= 'Z') ? (char) (ch | 0x20) : ch;
}


/* A character of a token: of the name of a header, a parameter or a scheme (RFC
 * 9110, 5.6.2). */

static inline int
dfp_tchar(char ch)
{
    return dfp_alnum(ch) || memchr("!#$%&'*+-.^_`|~", ch, 15) != NULL;
}


/* A control character that a header's value must not have: any but a tab (RFC
 * 9110, 5.5). */

static inline int
dfp_control(char ch)
{
    return ((unsigned char) ch < 0x20 && ch != '\t') || ch == 0x7f;
}


#endif /* DFP_CHAR_H */
