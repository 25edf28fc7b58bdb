/*
 * metrics/vitals.c
 *		Web vitals: ratings and scores.  Pure.
 */
#include "shim.h"

#include <math.h>
#include <string.h>

#include "metrics/vitals.h"

/* The inverse of erf at 0.8: puts the score at p10 to 0.9. */
#define ERF_INVERSE_OF_0_8 0.9061938024368232

const char *const vital_names[VITAL_COUNT] = {
	"lcp", "fcp", "fp", "fid", "cls", "inp", "ttfb"
};

const char *const vital_rating_names[] = {NULL, "good", "meh", "poor"};

typedef struct VitalRule
{
	double		meh;
	double		poor;
	bool		inclusive;		/* good and meh up to the bound, it included */
	double		page_weight;	/* in the profile of a page load */
	double		total_weight;	/* in the score of a page */
	double		desktop_p10;	/* 0: no curve */
	double		desktop_p50;
	double		mobile_p10;
	double		mobile_p50;
} VitalRule;

static const VitalRule vital_rules[VITAL_COUNT] = {
	{2500, 4000, false, 0.30, 0.30, 1200, 2400, 2500, 4000},
	{1000, 3000, false, 0.15, 0.15, 900, 1600, 1800, 3000},
	{1000, 3000, false, 0, 0, 0, 0, 0, 0},
	{100, 300, false, 0, 0, 100, 300, 100, 300},
	{0.1, 0.25, false, 0.15, 0.15, 0.1, 0.25, 0.1, 0.25},
	{200, 500, true, 0, 0.30, 200, 500, 200, 500},
	{800, 1800, true, 0.10, 0.10, 200, 400, 800, 1800}
};

/* What a browser does not measure has weight 0 in its profile. */
typedef struct BrowserRule
{
	const char *name;
	bool		mobile;
	bool		has_lcp;
	bool		has_cls;
} BrowserRule;

static const BrowserRule browser_rules[] = {
	{"Chrome", false, true, true},
	{"Firefox", false, true, false},
	{"Safari", false, false, false},
	{"Edge", false, true, true},
	{"Opera", false, true, true},
	{"Chrome Mobile", true, true, true},
	{"Firefox Mobile", true, true, false},
	{"Mobile Safari", true, false, false},
	{"Edge Mobile", true, true, true},
	{"Opera Mobile", true, true, true}
};

static const BrowserRule any_browser = {NULL, false, true, true};

int
vital_find(MetricText name)
{
	int			i;

	for (i = 0; i < VITAL_COUNT; i++)
		if (metric_text_is(name, vital_names[i]))
			return i;
	return -1;
}

static const BrowserRule *
find_browser(MetricText name)
{
	int			i;

	for (i = 0; i < (int) lengthof(browser_rules); i++)
		if (metric_text_is(name, browser_rules[i].name))
			return &browser_rules[i];
	return &any_browser;
}

bool
vital_is_mobile(MetricText browser)
{
	return find_browser(browser)->mobile;
}

VitalRating
vital_rate(Vital vital, double value)
{
	const VitalRule *rule = &vital_rules[vital];

	if (!(value >= 0))
		return VITAL_UNRATED;
	if (rule->inclusive)
		return value <= rule->meh ? VITAL_GOOD : value <= rule->poor ? VITAL_MEH : VITAL_POOR;
	return value < rule->meh ? VITAL_GOOD : value < rule->poor ? VITAL_MEH : VITAL_POOR;
}

double
vital_curve(double value, double p10, double p50)
{
	double		sigma;

	if (isnan(value) || p50 <= 0)
		return NAN;
	if (value <= 0)
		return 1;
	sigma = fabs(log(p10) - log(p50)) / (M_SQRT2 * ERF_INVERSE_OF_0_8);
	return 0.5 * (1 - erf((log(value) - log(p50)) / (M_SQRT2 * sigma)));
}

double
vital_score(Vital vital, double value, bool mobile)
{
	const VitalRule *rule = &vital_rules[vital];

	return vital_curve(value, mobile ? rule->mobile_p10 : rule->desktop_p10,
					   mobile ? rule->mobile_p50 : rule->desktop_p50);
}

static double
profile_weight(const BrowserRule *browser, Vital vital, bool only_inp)
{
	if (only_inp)
		return vital == VITAL_INP ? 1 : 0;
	if ((vital == VITAL_LCP && !browser->has_lcp) || (vital == VITAL_CLS && !browser->has_cls))
		return 0;
	return vital_rules[vital].page_weight;
}

/* One profile; false if it has no component that is present. */
static bool
score_profile(const double *values, const BrowserRule *browser, bool only_inp,
			  PerformanceScore *score)
{
	double		sum = 0;
	int			i;

	for (i = 0; i < VITAL_COUNT; i++)
	{
		score->weight[i] = isnan(values[i]) ? 0 : profile_weight(browser, i, only_inp);
		sum += score->weight[i];
	}
	if (sum <= 0)
		return false;
	score->total = 0;
	for (i = 0; i < VITAL_COUNT; i++)
	{
		score->ratio[i] = NAN;
		if (score->weight[i] == 0)
			continue;
		score->weight[i] /= sum;
		score->ratio[i] = vital_score(i, values[i], browser->mobile);
		score->total += score->weight[i] * score->ratio[i];
	}
	return true;
}

/*
 * The profiles in their order: the page load of the browser, that of any
 * browser, then the interaction, which arrives on a span of its own.
 */
bool
vital_performance(const double *values, MetricText browser, PerformanceScore *score)
{
	const BrowserRule *rule = find_browser(browser);

	return score_profile(values, rule, false, score) ||
		score_profile(values, &any_browser, false, score) ||
		score_profile(values, rule, true, score);
}

double
vital_page_score(const double *ratios)
{
	double		sum = 0;
	double		weights = 0;
	int			i;

	for (i = 0; i < VITAL_COUNT; i++)
	{
		if (isnan(ratios[i]) || vital_rules[i].total_weight == 0)
			continue;
		sum += vital_rules[i].total_weight * ratios[i];
		weights += vital_rules[i].total_weight;
	}
	return weights > 0 ? sum / weights : NAN;
}
