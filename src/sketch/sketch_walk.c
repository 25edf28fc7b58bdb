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

static bool
malformed(SketchWalk *walk)
{
	walk->malformed = true;
	return false;
}

/* The count that comes next in the stream; 0 if it is none. */
static uint64
read_count(SketchWalk *walk)
{
	SketchModel *model = &walk->model;
	uint64		expected = sketch_model_expected(model);
	uint64		count;
	uint64		distance;

	if (sketch_model_by_distance(model))
	{
		distance = sketch_get_golomb(&walk->reader, sketch_model_k(model->distance));
		count = expected + (uint64) sketch_unzigzag(distance);
	}
	else
	{
		count = sketch_get_golomb(&walk->reader, sketch_model_k(model->count)) + 1;
		distance = sketch_zigzag((int64) (count - expected));
	}
	/* A negative count is a huge one here. */
	if (walk->reader.failed || count > walk->left)
		return 0;
	sketch_model_counted(model, count, distance);
	return count;
}

static bool
next_of_bytes(SketchWalk *walk)
{
	if (!walk->started)
	{
		walk->started = true;
		walk->key = sketch_key(walk->view->min);
	}
	else if (walk->key == walk->last_key)
	{
		if (walk->left != 0 || !sketch_at_end(&walk->reader))
			return malformed(walk);
		return false;
	}
	else
	{
		uint64		gap = sketch_get_golomb(&walk->reader, sketch_model_k(walk->model.gap));

		if (walk->reader.failed || gap >= (uint64) (walk->last_key - walk->key))
			return malformed(walk);
		walk->model.gap = sketch_model_mean(walk->model.gap, gap);
		walk->key += (int32) gap + 1;
	}
	walk->count = read_count(walk);
	if (walk->count == 0)
		return malformed(walk);
	walk->left -= walk->count;
	return true;
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
	return next_of_bytes(walk);
}
