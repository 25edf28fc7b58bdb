/*
 * spanset/spanset_codec.h
 *		Compression of a block of text against a dictionary of known words.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_SPANSET_CODEC_H
#define PG_APM_SPANSET_CODEC_H

#include "shim.h"

/* More than this many bytes never come out of one byte of compressed text. */
#define CODEC_MAX_RATIO 136

/*
 * Compresses len bytes into dst, which has room for len bytes.  Returns the
 * size, or 0 if it would not be smaller.
 */
extern size_t codec_compress(const uint8 *src, size_t len, uint8 *dst);

/*
 * Restores exactly rawlen bytes into dst.  False if the bytes are not the
 * result of compressing so many; nothing outside of src and dst is touched.
 */
extern bool codec_restore(const uint8 *src, size_t len, uint8 *dst, size_t rawlen);

#endif							/* PG_APM_SPANSET_CODEC_H */
