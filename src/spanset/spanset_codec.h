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

/* A dictionary is at most so long: places in it take two bytes. */
#define CODEC_MAX_DICTIONARY 65535

/* Text that both sides know, and where four bytes of it stand. */
typedef struct CodecDictionary
{
	const uint8 *text;
	uint32		len;
	int			bits;			/* heads has 1 << bits places, plus one */
	uint16	   *heads;
	uint16	   *before;			/* the place before with the same hash; NULL: not kept */
} CodecDictionary;

/* The dictionary that belongs to the code. */
extern const CodecDictionary *codec_known_text(void);

/* Prepares one of other text, at most CODEC_MAX_DICTIONARY bytes, which must last. */
extern void codec_dictionary_init(CodecDictionary *d, const uint8 *text, uint32 len);

/*
 * Compresses len bytes into dst, which has room for len bytes.  Returns the
 * size, or 0 if it would not be smaller.
 */
extern size_t codec_compress(const CodecDictionary *d, const uint8 *src, size_t len, uint8 *dst);

/*
 * Restores exactly rawlen bytes into dst.  False if the bytes are not the
 * result of compressing so many with this dictionary; nothing outside of src,
 * dst and the dictionary is touched.
 */
extern bool codec_restore(const CodecDictionary *d, const uint8 *src, size_t len, uint8 *dst, size_t rawlen);

#endif							/* PG_APM_SPANSET_CODEC_H */
