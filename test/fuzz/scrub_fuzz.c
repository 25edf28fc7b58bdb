/*
 * scrub_fuzz.c
 *		Any bytes as JSON and as text; the first byte picks the rules.  What
 *		was JSON stays JSON, and what was scrubbed holds nothing more to scrub.
 */
#include "context.h"
#include "json/reader.h"
#include "store/normalize_scrub.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_json(ApmStr s)
{
	JsonReader	r;

	json_reader_init(&r, s.data, s.len, 256);
	return json_reader_skip(&r) && json_reader_finish(&r);
}

static void
run(const uint8_t *data, size_t size)
{
	static const char names[] = "user*secret-of-*a";
	ApmStr		keys[2];
	ScrubRules	rules = {0, keys, 0, NULL, NULL};
	ApmStr		s;
	bool		json;

	if (size == 0)
		return;
	rules.builtin = data[0] & 0x3f;
	rules.nkeys = data[0] & 0x40 ? 2 : 0;
	keys[0].data = names;
	keys[0].len = 5;
	keys[1].data = names + 5;
	keys[1].len = sizeof(names) - 6;

	/* In a block of its own size, that reading beyond its end is seen. */
	s.len = (uint32) (size - 1);
	s.data = memcpy(palloc(s.len), data + 1, s.len);
	json = is_json(s);
	if (scrub_json(&rules, &s) > 0)
	{
		assert((s.data != NULL) == json);
		assert(!json || is_json(s));
	}
	s.len = (uint32) (size - 1);
	s.data = (const char *) data + 1;
	scrub_text(&rules, &s);
	scrub_key(&rules, s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	context_begin();
	run(data, size);
	context_end();
	return 0;
}
