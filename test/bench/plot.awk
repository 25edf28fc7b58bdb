# Plots lines "rows <tab> name <tab> nanoseconds" as an SVG, both axes
# logarithmic: a line of slope one is cost in proportion to the data.

function log10(x) { return log(x) / log(10) }
function px(rows) { return LEFT + (log10(rows) - x0) / (x1 - x0) * WIDTH }
function py(ns) { return TOP + HEIGHT - (log10(ns) - y0) / (y1 - y0) * HEIGHT }
function text(x, y, anchor, what) {
	gsub(/&/, "\\&amp;", what); gsub(/</, "\\&lt;", what)
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, what
}
function duration(e) { return e >= 9 ? 10 ^ (e - 9) " s" : e >= 6 ? 10 ^ (e - 6) " ms" : 10 ^ (e - 3) " µs" }

BEGIN {
	FS = "\t"
	LEFT = 70; TOP = 20; WIDTH = 480; HEIGHT = 520; LEGEND = 570
	split("#1f77b4 #d62728 #2ca02c #9467bd #ff7f0e #8c564b #17becf #7f7f7f #bcbd22 #e377c2", colour, " ")
	split("none 6,3 2,2 8,3,2,3", dash, " ")
}

!($2 in seen) { seen[$2] = ++n; name[n] = $2 }

{
	points[$2] = points[$2] " " $1 ":" $3
	if (!xs++ || $1 < xmin) xmin = $1
	if ($1 > xmax) xmax = $1
	if (xs == 1 || $3 < ymin) ymin = $3
	if ($3 > ymax) ymax = $3
}

END {
	x0 = log10(xmin) - 0.05; x1 = log10(xmax) + 0.05
	y0 = int(log10(ymin)); y1 = int(log10(ymax)) + 1
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 %d\" font-family=\"sans-serif\" font-size=\"12\">\n", TOP + HEIGHT + 50
	print "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
	for (e = y0; e <= y1; e++) {
		y = py(10 ^ e)
		printf "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", LEFT, y, LEFT + WIDTH, y
		text(LEFT - 6, y + 4, "end", duration(e))
	}
	for (e = int(log10(xmin)); e <= x1; e++) {
		if (e < x0)
			continue
		x = px(10 ^ e)
		printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>\n", x, TOP, x, TOP + HEIGHT
		text(x, TOP + HEIGHT + 18, "middle", sprintf("%d", 10 ^ e))
	}
	text(LEFT + WIDTH / 2, TOP + HEIGHT + 38, "middle", "rows")
	for (i = 1; i <= n; i++) {
		list = ""
		m = split(points[name[i]], p, " ")
		c = colour[(i - 1) % 10 + 1]
		d = dash[int((i - 1) / 10) % 4 + 1]
		for (j = 1; j <= m; j++) {
			split(p[j], v, ":")
			list = list sprintf(" %.1f,%.1f", px(v[1]), py(v[2]))
			printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n", px(v[1]), py(v[2]), c
		}
		printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-dasharray=\"%s\" stroke-width=\"1.5\"/>\n", substr(list, 2), c, d
		y = TOP + 10 + (i - 1) * 17
		printf "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-dasharray=\"%s\" stroke-width=\"2\"/>\n", LEGEND, y, LEGEND + 24, y, c, d
		text(LEGEND + 30, y + 4, "start", name[i])
	}
	print "</svg>"
}
