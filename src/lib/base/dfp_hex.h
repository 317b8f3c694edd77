/*
 * Hexadecimal digits.
 */

#ifndef DFP_HEX_H
#define DFP_HEX_H


#include <stddef.h>


/* The value of a digit, in either letter case; -1 for any other byte. */
int dfp_hex(char ch);

/* The byte that the two digits at P stand for; -1 if one is no digit. */
int dfp_hex_byte(const char *p);

/* Writes LEN bytes as 2 * LEN lower-case digits, without a NUL. Returns the end
 * of what was written. */
char *dfp_hex_print(const unsigned char *data, size_t len, char *out);


#endif /* DFP_HEX_H */
