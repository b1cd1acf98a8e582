/* From text to a PNG of its QR code. */
#include "booking-svc/adapters/qr_image.h"

#include <png.h>
#include <qrencode.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "shared/log/log.h"

#define MODULE_PIXELS 4 /* a phone reads a ticket from a screen without effort at four pixels a module */
#define QUIET_MODULES 4 /* ISO/IEC 18004 section 9.1 */
#define ROW_MAX_BYTES ((177 + 2 * QUIET_MODULES) * MODULE_PIXELS / 8 + 1) /* version 40 has 177 modules */

static void on_png_write(png_structp png, png_bytep bytes, size_t len)
{
    tk_buf_append(png_get_io_ptr(png), bytes, len);
}

static void on_png_flush(png_structp png)
{
    (void)png;
}

/** One row of pixels, most significant bit first; everything outside the code is white. */
static void draw_row(const QRcode *code, int module_y, png_byte row[ROW_MAX_BYTES])
{
    memset(row, 0xff, ROW_MAX_BYTES);
    if (module_y < 0 || module_y >= code->width)
        return;
    for (int x = 0; x < code->width * MODULE_PIXELS; x++) {
        const unsigned char module = code->data[module_y * code->width + x / MODULE_PIXELS];
        const int pixel = x + QUIET_MODULES * MODULE_PIXELS;
        if (module & 1)
            row[pixel / 8] = (png_byte)(row[pixel / 8] & ~(0x80 >> (pixel % 8)));
    }
}

static void write_rows(png_structp png, const QRcode *code)
{
    png_byte row[ROW_MAX_BYTES];
    for (int y = -QUIET_MODULES; y < code->width + QUIET_MODULES; y++) {
        draw_row(code, y, row);
        for (int repeat = 0; repeat < MODULE_PIXELS; repeat++)
            png_write_row(png, row);
    }
}

/** libpng reports errors by longjmp(): nothing in here owns memory across a call. */
static enum tk_err write_png(png_structp png, png_infop info, const QRcode *code, struct tk_buf *out)
{
    const png_uint_32 pixels = (png_uint_32)(code->width + 2 * QUIET_MODULES) * MODULE_PIXELS;
    if (setjmp(png_jmpbuf(png)))
        return TK_ERR_IO;
    png_set_write_fn(png, out, on_png_write, on_png_flush);
    png_set_compression_level(png, 1);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_set_IHDR(png, info, pixels, pixels, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    write_rows(png, code);
    png_write_end(png, info);
    return out->overflow ? TK_ERR_IO : TK_OK;
}

enum tk_err qr_image_png(const char *text, struct tk_buf *out)
{
    enum tk_err err = TK_ERR_IO;
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (code != NULL && info != NULL)
        err = write_png(png, info, code, out);
    png_destroy_write_struct(&png, &info);
    QRcode_free(code);
    if (err)
        tk_log(TK_LOG_ERROR, "could not render a QR code", TK_KV_INT("text_bytes", strlen(text)));
    return err;
}
