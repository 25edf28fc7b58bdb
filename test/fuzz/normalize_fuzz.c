/*
 * normalize_fuzz.c
 *		Any bytes through every normalizer; the first byte picks the dialect.
 */
#include "context.h"
#include "store/normalize.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(const uint8_t *data, size_t size)
{
	ApmStr		s;

	if (size == 0)
		return;
	s.data = (const char *) data + 1;
	s.len = (uint32) (size - 1);
	normalize_sql(s, data[0] % 2 == 0);
	normalize_http(s);
	normalize_redis(s);
	normalize_resource(s);
	normalize_file(s);
	normalize_name(s);
	normalize_category(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	context_begin();
	run(data, size);
	context_end();
	return 0;
}
