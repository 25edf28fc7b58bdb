/*
 * sketch/sketch_walk.c
 *		The walk over the buckets of either form, in order of value.  Pure.
 */
#include "sketch/sketch_private.h"

void
sketch_walk_begin(SketchWalk *walk, const SketchView *view)
{
	walk->view = view;
	walk->malformed = false;
	walk->key = 0;
	walk->count = 0;
	if (view->state != NULL)
	{
		walk->octave = 0;
		walk->sub = 0;
		return;
	}
	walk->reader.data = view->bytes;
	walk->reader.len = view->len;
	walk->reader.pos = view->stream;
	walk->reader.failed = false;
	sketch_model_init(&walk->model);
	walk->last_key = sketch_key(view->max);
	walk->started = false;
	walk->left = view->milli / view->tick;
}

/* The next counter that is not zero; negative octaves are walked backwards. */
static bool
next_of_state(SketchWalk *walk)
{
	const SketchState *state = walk->view->state;
	const uint16 *dir = sketch_directory(state);

	for (; walk->octave < state->dir_size; walk->octave++, walk->sub = 0)
	{
		int			octave = state->first_octave + walk->octave;
		size_t		base;

		if (dir[walk->octave] == SKETCH_NO_BLOCK)
			continue;
		base = (size_t) dir[walk->octave] * SKETCH_SUB;
		while (walk->sub < SKETCH_SUB)
		{
			int			sub = octave < 0 ? SKETCH_SUB - 1 - walk->sub : walk->sub;

			walk->sub++;
			walk->count = sketch_counter(state, base + sub);
			if (walk->count != 0)
			{
				if (walk->view->divisor != 1)
					walk->count /= walk->view->divisor;
				walk->key = octave < 0 ? -(-octave * SKETCH_SUB + sub) : octave * SKETCH_SUB + sub;
				return true;
			}
		}
	}
	return false;
}

/*
 * Steps to the next bucket.  False behind the last one, and where the bytes
 * make no sense (malformed is set): a caller that walks to the end has then
 * seen every bit checked.
 */
bool
sketch_walk_next(SketchWalk *walk)
{
	if (walk->view->state != NULL)
		return next_of_state(walk);
	return sketch_walk_bytes(walk);
}
