/**
 * QR codes as PNG: libqrencode for the modules, libpng for the file. Rendered when asked for, never stored.
 */
#ifndef BOOKING_ADAPTERS_QR_IMAGE_H
#define BOOKING_ADAPTERS_QR_IMAGE_H

#include "shared/base/result.h"
#include "shared/base/str.h"

#define QR_IMAGE_MAX_BYTES 16384

/** Appends a one-bit grayscale PNG of `text` (NUL-terminated ASCII). TK_ERR_IO: a library failed (logged). */
TK_MUSTCHECK enum tk_err qr_image_png(const char *text, struct tk_buf *out);

#endif
