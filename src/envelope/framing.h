/*
 * envelope/framing.h
 *		Splits the body of an envelope into its header and items.
 *
 * envelope = json_object ( NL item )* [ NL ];  item = json_object NL payload.
 * NL is 0x0A alone.  Framing is all or nothing: envelope_frame() checks the
 * whole body first, then envelope_next_item() walks over the items without
 * allocating anything, so a body of a million items costs no memory.
 *
 * Pure: no server headers.
 */
#ifndef PG_APM_ENVELOPE_FRAMING_H
#define PG_APM_ENVELOPE_FRAMING_H

#include "shim.h"
#include "json/reader.h"
#include "plugin/pg_apm_plugin.h"

/* Is a key the literal?  Escaped keys take the slow way. */
#define KEY_IS(key, literal) \
	((key)->seen == 0 ? \
	 (key)->len == sizeof(literal) - 1 && \
	 memcmp((key)->data, literal, sizeof(literal) - 1) == 0 : \
	 json_string_is(key, literal))

/* One item; all slices point into the body. */
typedef struct EnvelopeItem
{
	int32		ordinal;		/* from 1 */
	JsonString	type;
	JsonString	content_type;	/* data == NULL: not sent */
	ApmStr		header;			/* the header's JSON object */
	const char *payload;
	size_t		length;
	uint32		nul_escapes;	/* \u0000 in the header */
	uint32		lone_surrogates;	/* lone surrogates in the header */
} EnvelopeItem;

typedef struct EnvelopeFrame
{
	const char *body;
	size_t		len;
	bool		strict;			/* a lone surrogate in a header refuses it */
	int			max_depth;

	/* the envelope's own header */
	ApmStr		header;
	bool		has_event_id;
	uint8		event_id[16];
	JsonString	dsn;			/* data == NULL: not sent; same below */
	JsonString	sent_at;
	ApmStr		sdk;			/* JSON object */
	ApmStr		trace;			/* JSON object: the sampling context */
	uint32		nul_escapes;	/* in all headers, items' included */
	uint32		lone_surrogates;

	/* what is wrong, if framing failed */
	const char *reason;
	const char *detail;
	size_t		error_offset;
	int32		error_ordinal;	/* item at which it broke, 0: the header */

	/* the first item, kept from the check: most bodies have no other */
	EnvelopeItem first;
	size_t		behind_first;

	/* iteration */
	size_t		first_item;
	size_t		pos;
	int32		ordinal;
} EnvelopeFrame;

/*
 * Checks the framing of a whole body.  False: reason, detail and
 * error_offset say what and where.  With strict, a lone surrogate escape in
 * a header refuses the envelope; else it is counted.
 */
extern bool envelope_frame(EnvelopeFrame *frame, const char *body, size_t len,
						   bool strict, int max_depth);

/* The next item of a body that envelope_frame() passed; false after the last. */
extern bool envelope_next_item(EnvelopeFrame *frame, EnvelopeItem *item);

/* Does a body begin as compressed ones do? */
extern bool envelope_looks_compressed(const unsigned char *p, size_t len);

/* The word for a JSON error: "invalid_json", "lone_surrogate", "too_deep", ... */
extern const char *envelope_json_reason(JsonErrorCode code);

/*
 * An event id: 32 hex digits, or 36 characters with dashes.  False if it is
 * neither; *nil tells an all-zero one, which is well-formed but no id.
 */
extern bool envelope_read_event_id(const char *s, size_t len, uint8 event_id[16],
								   bool *nil);

#endif							/* PG_APM_ENVELOPE_FRAMING_H */
