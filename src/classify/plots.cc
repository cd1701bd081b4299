#include "classify/plots.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>

#include "base/strings.h"

namespace lfm::classify {
namespace {

constexpr size_t kMostLabelCharacters = 24;

// Text between tags or quotes of XML. What is no UTF-8, turns text around or is forbidden in XML is replaced or left out.
std::string Escaped(std::string_view text) {
  const std::string valid = ToValidUtf8(text);
  std::string out;
  for (size_t i = 0; i < valid.size(); ++i) {
    const char c = valid[i];
    const std::string_view rest = std::string_view(valid).substr(i, 3);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += ' ';
    } else if (rest == "\xef\xbf\xbe" || rest == "\xef\xbf\xbf" || (rest >= "\xe2\x80\xaa" && rest <= "\xe2\x80\xae") ||
               (rest >= "\xe2\x81\xa6" && rest <= "\xe2\x81\xa9")) {
      i += 2;  // U+FFFE, U+FFFF; bidirectional controls
    } else {
      out += c;
    }
  }
  return out;
}

// Cut to so many characters, never inside one.
std::string Shortened(const std::string& text) {
  size_t n = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (n++ == kMostLabelCharacters) return text.substr(0, i) + "…";
  }
  return text;
}

std::string Number(double value, int digits = 1) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

class Drawing {
 public:
  Drawing(double width, double height, const std::string& title) {
    svg_ = StrCat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", Number(width), " ", Number(height),
                  "\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#222\">\n<title>", Escaped(title), "</title>\n");
    Rect(0, 0, width, height, "#fff");
    Text(width / 2, 20, title, "middle", "font-size=\"14\"");
  }
  void Rect(double x, double y, double width, double height, std::string_view fill) {
    svg_ += StrCat("<rect x=\"", Number(x), "\" y=\"", Number(y), "\" width=\"", Number(width), "\" height=\"", Number(height),
                   "\" fill=\"", fill, "\"/>\n");
  }
  void Line(double x1, double y1, double x2, double y2, std::string_view style) {
    svg_ += StrCat("<line x1=\"", Number(x1), "\" y1=\"", Number(y1), "\" x2=\"", Number(x2), "\" y2=\"", Number(y2), "\" ",
                   style, "/>\n");
  }
  void Dot(double x, double y, double radius, const std::string& hint) {
    svg_ += StrCat("<circle cx=\"", Number(x), "\" cy=\"", Number(y), "\" r=\"", Number(radius),
                   "\" fill=\"#1f6feb\" fill-opacity=\"0.7\"><title>", Escaped(hint), "</title></circle>\n");
  }
  void Text(double x, double y, const std::string& text, std::string_view anchor, std::string_view style = "") {
    svg_ += StrCat("<text x=\"", Number(x), "\" y=\"", Number(y), "\" text-anchor=\"", anchor, "\" ", style, ">", Escaped(text),
                   "</text>\n");
  }
  std::string Done() { return svg_ + "</svg>\n"; }

 private:
  std::string svg_;
};

constexpr std::string_view kGridLine = "stroke=\"#ddd\"";
constexpr double kSide = 360, kLeft = 60, kTop = 40;

// Labels to show, in their order.
std::vector<size_t> ShownLabels(std::span<const LabelFigures> labels) {
  std::vector<size_t> order(labels.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (order.size() <= kMostPlotLabels) return order;
  const auto errors = [&](size_t i) { return labels[i].n_rows + labels[i].n_predicted - 2 * labels[i].n_right; };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return errors(a) > errors(b); });
  order.resize(kMostPlotLabels);
  std::sort(order.begin(), order.end());
  return order;
}

// White to blue by the share of a row.
std::string Shade(double share) {
  const auto channel = [&](int full) { return std::to_string(static_cast<int>(std::lround(255 + share * (full - 255)))); };
  return StrCat("rgb(", channel(31), ",", channel(111), ",", channel(235), ")");
}

// What stands at the axes of a reliability diagram, and what its dots count.
struct ReliabilityWords {
  std::string across, up, counted;
};

std::string Reliability(std::span<const ReliabilityBin> bins, int64_t n, double ece, const ReliabilityWords& words,
                        const std::string& title) {
  Drawing drawing(kLeft + kSide + 30, kTop + kSide + 60, title);
  const auto x = [](double share) { return kLeft + kSide * share; };
  const auto y = [](double share) { return kTop + kSide * (1 - share); };
  for (int i = 0; i <= 5; ++i) {
    const double share = i / 5.0;
    drawing.Line(x(share), y(0), x(share), y(1), kGridLine);
    drawing.Line(x(0), y(share), x(1), y(share), kGridLine);
    drawing.Text(x(share), y(0) + 16, Number(share), "middle");
    drawing.Text(x(0) - 8, y(share) + 4, Number(share), "end");
  }
  drawing.Line(x(0), y(0), x(1), y(1), "stroke=\"#888\" stroke-dasharray=\"4 4\"");
  for (const ReliabilityBin& bin : bins) {
    const double share = static_cast<double>(bin.n_rows) / static_cast<double>(n);
    drawing.Dot(x(bin.confidence), y(bin.accuracy), 3 + 20 * std::sqrt(share) / std::sqrt(static_cast<double>(kReliabilityBins)),
                StrCat(bin.n_rows, " ", words.counted, ": ", words.across, " ", Number(bin.confidence, 4), ", ", words.up, " ",
                       Number(bin.accuracy, 4)));
  }
  drawing.Text(x(0.5), y(0) + 36, words.across, "middle");
  drawing.Text(0, 0, words.up, "middle", StrCat("transform=\"translate(18 ", Number(y(0.5)), ") rotate(-90)\""));
  drawing.Text(x(0.02), y(0.95), StrCat("ECE ", Number(ece, 3), ", ", n, " ", words.counted), "start");
  return drawing.Done();
}

std::string NoteOfCut(size_t n_shown, size_t n_labels) {
  return n_shown < n_labels ? StrCat("the ", n_shown, " of ", n_labels, " labels with the most errors; ") : "";
}

constexpr double kLabelSpace = 170, kCell = 34;

}  // namespace

std::string ReliabilitySvg(const Metrics& metrics, const std::string& title) {
  return Reliability(metrics.bins, metrics.n_rows, metrics.ece.value, {"confidence", "accuracy", "rows"}, title);
}

std::string ReliabilitySvg(const MultiMetrics& metrics, const std::string& title) {
  return Reliability(metrics.bins, metrics.n_rows * metrics.n_labels, metrics.ece.value,
                     {"probability", "share that fits", "decisions"}, title);
}

std::string LabelCountsSvg(const MultiMetrics& metrics, std::span<const std::string> names, const std::string& title) {
  constexpr double kWide = 70;
  std::vector<LabelFigures> labels;
  for (const MultiLabelFigures& label : metrics.labels) labels.push_back(label.counts);
  const std::vector<size_t> shown = ShownLabels(labels);
  Drawing drawing(kLabelSpace + 3 * kWide + 20, kTop + 24 + kCell * static_cast<double>(shown.size()) + 20, title);
  constexpr std::array<const char*, 3> kColumns = {"right", "missed", "wrong"};
  for (size_t j = 0; j < kColumns.size(); ++j) {
    drawing.Text(kLabelSpace + kWide * (static_cast<double>(j) + 0.5), kTop + 16, kColumns[j], "middle");
  }
  for (size_t i = 0; i < shown.size(); ++i) {
    const LabelFigures& label = labels[shown[i]];
    const double y = kTop + 24 + kCell * static_cast<double>(i);
    drawing.Text(kLabelSpace - 6, y + kCell / 2 + 4, Shortened(names[shown[i]]), "end");
    const std::array<int64_t, 3> counts = {label.n_right, label.n_rows - label.n_right, label.n_predicted - label.n_right};
    const double all = static_cast<double>(std::max<int64_t>(counts[0] + counts[1] + counts[2], 1));
    for (size_t j = 0; j < counts.size(); ++j) {
      const double x = kLabelSpace + kWide * static_cast<double>(j), share = static_cast<double>(counts[j]) / all;
      drawing.Rect(x + 1, y + 1, kWide - 2, kCell - 2, counts[j] == 0 ? "#f6f6f6" : Shade(share));
      drawing.Text(x + kWide / 2, y + kCell / 2 + 4, std::to_string(counts[j]), "middle", share > 0.6 ? "fill=\"#fff\"" : "");
    }
  }
  drawing.Text(kLabelSpace, kTop - 6, NoteOfCut(shown.size(), names.size()) + "rows of each label", "start");
  return drawing.Done();
}

std::string ConfusionSvg(const Metrics& metrics, std::span<const std::string> names, const std::string& title) {
  const std::vector<size_t> shown = ShownLabels(metrics.labels);
  const double side = kCell * static_cast<double>(shown.size());
  Drawing drawing(std::max(kLabelSpace + side + 20, 380.0), kTop + side + kLabelSpace, title);
  std::map<std::pair<size_t, size_t>, int64_t> cells;
  for (const ConfusionCell& cell : metrics.confusion) {
    cells[{static_cast<size_t>(cell.truth), static_cast<size_t>(cell.predicted)}] = cell.n_rows;
  }
  for (size_t i = 0; i < shown.size(); ++i) {
    const double y = kTop + kCell * static_cast<double>(i);
    const double n_row = static_cast<double>(std::max<int64_t>(metrics.labels[shown[i]].n_rows, 1));
    drawing.Text(kLabelSpace - 6, y + kCell / 2 + 4, Shortened(names[shown[i]]), "end");
    for (size_t j = 0; j < shown.size(); ++j) {
      const double x = kLabelSpace + kCell * static_cast<double>(j);
      const auto found = cells.find({shown[i], shown[j]});
      const int64_t n = found == cells.end() ? 0 : found->second;
      const double share = static_cast<double>(n) / n_row;
      drawing.Rect(x + 1, y + 1, kCell - 2, kCell - 2, n == 0 ? "#f6f6f6" : Shade(share));
      if (n > 0) drawing.Text(x + kCell / 2, y + kCell / 2 + 4, std::to_string(n), "middle", share > 0.6 ? "fill=\"#fff\"" : "");
    }
    const double x = kLabelSpace + kCell * (static_cast<double>(i) + 0.5) + 4;
    drawing.Text(0, 0, Shortened(names[shown[i]]), "end",
                 StrCat("transform=\"translate(", Number(x), " ", Number(kTop + side + 8), ") rotate(-60)\""));
  }
  drawing.Text(kLabelSpace, kTop - 6, NoteOfCut(shown.size(), names.size()) + "down: right label, across: predicted", "start");
  return drawing.Done();
}

}  // namespace lfm::classify
