/**
 * Functions that do not compile in this tree. Each has a replacement that knows where its memory ends or keeps no hidden
 * state between calls:
 *
 *   strcpy strcat strncpy strncat      → struct tk_buf, memcpy with a length, tk_slice_dup()
 *   sprintf vsprintf                   → tk_buf_appendf(), snprintf()
 *   gets                               → nothing we read is a line
 *   strtok strtok_r                    → slices
 *   atoi atol atoll atof               → tk_parse_i64(), which refuses what it does not understand
 *   gmtime localtime ctime asctime     → tk_time_append(); those share one static buffer between threads
 *
 * The system headers that declare them come first, so that including those later changes nothing.
 */
#ifndef TK_BASE_BANNED_H
#define TK_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TK_BANNED(function) function##_is_banned_see_shared_base_banned_h

#undef strcpy
#define strcpy(...) TK_BANNED(strcpy)
#undef strcat
#define strcat(...) TK_BANNED(strcat)
#undef strncpy
#define strncpy(...) TK_BANNED(strncpy)
#undef strncat
#define strncat(...) TK_BANNED(strncat)
#undef sprintf
#define sprintf(...) TK_BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) TK_BANNED(vsprintf)
#undef gets
#define gets(...) TK_BANNED(gets)
#undef strtok
#define strtok(...) TK_BANNED(strtok)
#undef strtok_r
#define strtok_r(...) TK_BANNED(strtok_r)
#undef atoi
#define atoi(...) TK_BANNED(atoi)
#undef atol
#define atol(...) TK_BANNED(atol)
#undef atoll
#define atoll(...) TK_BANNED(atoll)
#undef atof
#define atof(...) TK_BANNED(atof)
#undef gmtime
#define gmtime(...) TK_BANNED(gmtime)
#undef localtime
#define localtime(...) TK_BANNED(localtime)
#undef ctime
#define ctime(...) TK_BANNED(ctime)
#undef asctime
#define asctime(...) TK_BANNED(asctime)

#endif
