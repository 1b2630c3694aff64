/* SPDX-License-Identifier: Apache-2.0
 *
 * The chart of a group, as SVG.  Cases differ by orders of magnitude, so a bar is the
 * speed relative to the fastest rival of its case, with the figure written beside it.
 */
#include "bench/report.h"

#include <string.h>

enum { MAX_CASES = 100, MAX_RIVALS = 12, LEFT = 250, BAR = 420, HIGH = 13, GAP = 12 };

/* Told apart by people who see few colours too (Okabe and Ito). */
static const char *const colours[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                      "#d55e00", "#56b4e9", "#999999", "#f0e442"};

static const char *colour(size_t rival)
{
    return colours[rival % (sizeof colours / sizeof colours[0])];
}

static void escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '&' || *text == '<' || *text == '>')
            fprintf(out, "&#%d;", *text);
        else
            fputc(*text, out);
}

static void draw_text(FILE *out, int x, int y, const char *style, const char *text)
{
    fprintf(out, "<text x=\"%d\" y=\"%d\" %s>", x, y, style);
    escaped(out, text);
    fputs("</text>\n", out);
}

/* Returns the number of bars drawn. */
static int draw_case(const struct bench_view *view, const char *name, int y, FILE *out)
{
    double v[MAX_RIVALS][BENCH_COLUMNS], best = 0;
    bool have[MAX_RIVALS] = {false};
    int bars = 0;
    for (size_t r = 0; r < view->nrivals && r < MAX_RIVALS; r++) {
        have[r] = bench_median(view->results, view->group, view->rivals[r], name,
                               view->rounds, v[r]) &&
                  v[r][BENCH_SECONDS] > 0;
        if (have[r] && v[r][BENCH_OPS] / v[r][BENCH_SECONDS] > best)
            best = v[r][BENCH_OPS] / v[r][BENCH_SECONDS];
    }
    draw_text(out, LEFT - 10, y + 11, "text-anchor=\"end\" font-weight=\"bold\"", name);
    for (size_t r = 0; r < view->nrivals && r < MAX_RIVALS; r++) {
        char label[64];
        if (!have[r])
            continue;
        int top = y + bars++ * HIGH;
        int width = (int)(BAR * v[r][BENCH_OPS] / v[r][BENCH_SECONDS] / best);
        fprintf(out,
                "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n",
                LEFT, top, width > 1 ? width : 1, HIGH - 2, colour(r));
        bench_rate_text(v[r], label, sizeof label);
        draw_text(out, LEFT + width + 5, top + 10, "fill=\"#444\"", label);
    }
    return bars;
}

static int height_of(const struct bench_view *view, const char **names, size_t ncases)
{
    double v[BENCH_COLUMNS];
    int high = 70;
    for (size_t c = 0; c < ncases; c++) {
        high += GAP;
        for (size_t r = 0; r < view->nrivals; r++)
            if (bench_median(view->results, view->group, view->rivals[r], names[c],
                             view->rounds, v))
                high += HIGH;
    }
    return high;
}

void bench_chart(const struct bench_view *view, FILE *out)
{
    const char *names[MAX_CASES];
    char title[200];
    size_t ncases = bench_case_names(view, names, MAX_CASES);
    int high = height_of(view, names, ncases), y = 60, x = LEFT,
        wide = LEFT + BAR + 110;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"11\">\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n",
            wide, high, wide, high);
    snprintf(title, sizeof title,
             "%s, %llu rows: speed relative to the fastest, and per second",
             view->group, (unsigned long long)view->rows);
    draw_text(out, 10, 20, "font-size=\"14\" font-weight=\"bold\"", title);
    for (size_t r = 0; r < view->nrivals; r++) {
        fprintf(out,
                "<rect x=\"%d\" y=\"34\" width=\"10\" height=\"10\" fill=\"%s\"/>\n", x,
                colour(r));
        draw_text(out, x + 14, 43, "", view->rivals[r]);
        x += 30 + 7 * (int)strlen(view->rivals[r]);
    }
    for (size_t c = 0; c < ncases; c++)
        y += draw_case(view, names[c], y, out) * HIGH + GAP;
    fputs("</svg>\n", out);
}
