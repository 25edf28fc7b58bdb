/*
 * context.h
 *		A memory context for fuzzers: what the code under test allocates and
 *		leaves to its context, which these programs do not have, is noted
 *		between context_begin() and context_end() and freed there.
 */
#ifndef PG_APM_FUZZ_CONTEXT_H
#define PG_APM_FUZZ_CONTEXT_H

#include "shim.h"

#include <sanitizer/allocator_interface.h>

#define CONTEXT_MAX_LIVE	(1 << 20)

static const volatile void *context_live[CONTEXT_MAX_LIVE];
static int	context_nlive = 0;
static bool context_noting = false;

const char *__asan_default_options(void);

/* Chunks that are freed by context_end() are no leaks. */
const char *
__asan_default_options(void)
{
	return "detect_leaks=0:max_allocation_size_mb=512";
}

static void
context_on_malloc(const volatile void *p, size_t size)
{
	(void) size;
	if (context_noting && context_nlive < CONTEXT_MAX_LIVE)
		context_live[context_nlive++] = p;
}

static void
context_on_free(const volatile void *p)
{
	int			i;

	for (i = context_nlive - 1; context_noting && i >= 0; i--)
		if (context_live[i] == p)
		{
			context_live[i] = context_live[--context_nlive];
			return;
		}
}

static void
context_begin(void)
{
	static bool hooked = false;

	if (!hooked)
		__sanitizer_install_malloc_and_free_hooks(context_on_malloc, context_on_free);
	hooked = true;
	context_noting = true;
}

static void
context_end(void)
{
	context_noting = false;
	while (context_nlive > 0)
		free((void *) context_live[--context_nlive]);
}

#endif							/* PG_APM_FUZZ_CONTEXT_H */
