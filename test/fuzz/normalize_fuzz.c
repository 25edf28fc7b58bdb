/*
 * normalize_fuzz.c
 *		Any bytes through every normalizer; the first byte picks the dialect.
 */
#include "store/normalize.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* Results belong to a memory context in the server; here nobody frees them. */
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ApmStr		s;

	if (size == 0)
		return 0;
	s.data = (const char *) data + 1;
	s.len = (uint32) (size - 1);
	normalize_sql(s, data[0] % 2 == 0);
	normalize_http(s);
	normalize_redis(s);
	normalize_resource(s);
	normalize_file(s);
	normalize_name(s);
	normalize_category(s);
	return 0;
}
