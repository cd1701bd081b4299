#include "classify/table.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "base/strings.h"

namespace lfm::classify {
namespace {

constexpr size_t kReadBytes = size_t{1} << 16;
constexpr size_t kMostNamed = 8;  // columns that an error lists

// The bytes of an input in a window that begins at the record that is being read.
class Window {
 public:
  explicit Window(ByteSource source) : source_(std::move(source)) {}

  // The byte at `offset` behind the record's begin, or -1 at the end.
  Result<int> At(size_t offset) {
    while (begin_ + offset >= bytes_.size() && !ended_) LFM_RETURN_IF_ERROR(Fill());
    return begin_ + offset < bytes_.size() ? int{static_cast<unsigned char>(bytes_[begin_ + offset])} : -1;
  }
  // The first of '\n' and, where `quote` says so, '"' at or behind `offset`; the end of the input where there is none.
  Result<size_t> FindBreak(size_t offset, bool quote) {
    while (true) {
      const size_t at = quote ? bytes_.find('"', begin_ + offset) : bytes_.find('\n', begin_ + offset);
      if (at != std::string::npos) return at - begin_;
      offset = std::max(offset, bytes_.size() - begin_);
      if (ended_ || offset > kMaxRecordBytes) return offset;
      LFM_RETURN_IF_ERROR(Fill());
    }
  }
  std::string_view View(size_t begin, size_t end) const { return std::string_view(bytes_).substr(begin_ + begin, end - begin); }
  void Take(size_t n) { begin_ += n; }

 private:
  Status Fill() {
    if (begin_ > bytes_.size() / 2 && begin_ >= kReadBytes) {
      bytes_.erase(0, begin_);
      begin_ = 0;
    }
    const size_t size = bytes_.size();
    bytes_.resize(size + kReadBytes);
    auto read = source_(bytes_.data() + size, kReadBytes);
    bytes_.resize(size + (read.ok() ? *read : 0));
    if (!read.ok()) return read.error();
    ended_ = *read == 0;
    return Ok();
  }

  ByteSource source_;
  std::string bytes_;
  size_t begin_ = 0;
  bool ended_ = false;
};

Error BadRow(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

// Whether a record's bytes are text.
Status CheckBytes(const std::string& raw) {
  if (raw.find('\0') != std::string::npos) return BadRow("the row holds a NUL byte");
  if (ToValidUtf8(raw) == raw) return Ok();
  return BadRow("the row holds bytes that are no UTF-8; convert the file (of Latin-1: iconv -f LATIN1 -t UTF-8)");
}

class Reader : public TableReader {
 public:
  Reader(ByteSource source, TableFormat format) : window_(std::move(source)), format_(format) {}

  const std::vector<std::string>& columns() const override { return columns_; }

  Status ReadBeginning() {
    LFM_TRY(const int first, window_.At(0));
    LFM_TRY(const int second, window_.At(1));
    LFM_TRY(const int third, window_.At(2));
    if ((first == 0xFF && second == 0xFE) || (first == 0xFE && second == 0xFF)) {
      return Error{ErrorCode::kUnsupported, "the input is UTF-16; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"};
    }
    if (first == 0xEF && second == 0xBB && third == 0xBF) window_.Take(3);
    if (format_ == TableFormat::kLines) columns_ = {"text"};
    if (format_ == TableFormat::kCsv || format_ == TableFormat::kTsv) return ReadHeader();
    return Ok();
  }

  Result<bool> Next(TableRow& row) override {
    row = TableRow{};
    LFM_TRY(const bool more, format_ == TableFormat::kCsv || format_ == TableFormat::kTsv ? ReadCsv(row) : ReadLine(row));
    if (!more) return false;
    row.number = ++n_rows_;
    return true;
  }

 private:
  Status ReadHeader() {
    TableRow row;
    LFM_TRY(const bool more, ReadCsv(row));
    if (!more) return BadRow("the input is empty: a CSV file begins with a line of column names");
    if (!row.status.ok()) return row.status.error().Within("the header");
    if (std::any_of(row.fields.begin(), row.fields.end(),
                    [](const auto& name) { return name.find('\r') != std::string::npos; })) {
      return BadRow("the header holds a carriage return: the lines seem to end in it alone; convert them (tr '\\r' '\\n')");
    }
    if (row.fields.size() > kMaxColumns) {
      return BadRow(StrCat("the header has ", row.fields.size(), " columns; at most ", kMaxColumns, " are taken"));
    }
    std::unordered_set<std::string_view> names;
    for (size_t i = 0; i < row.fields.size(); ++i) {
      if (row.fields[i].empty()) return BadRow(StrCat("the header's column ", i + 1, " has no name"));
      if (!names.insert(row.fields[i]).second) return BadRow(StrCat("the header has two columns ", Quote(row.fields[i])));
    }
    columns_ = std::move(row.fields);
    return Ok();
  }

  // One line as it is, without its end. Blank ones of JSON lines are skipped.
  Result<bool> ReadLine(TableRow& row) {
    while (true) {
      LFM_TRY(const int first, window_.At(0));
      if (first < 0) return false;
      LFM_RETURN_IF_ERROR(TakeLine(row));
      if (format_ == TableFormat::kLines || row.raw.find_first_not_of(" \t") != std::string::npos || !row.status.ok()) break;
    }
    if (!row.status.ok()) return true;
    row.status = CheckBytes(row.raw);
    if (!row.status.ok()) return true;
    if (format_ == TableFormat::kLines) {
      row.fields = {row.raw};
    } else if (auto json = ParseJson(row.raw); !json.ok()) {
      row.status = json.error();
    } else if (!json->is_object()) {
      row.status = BadRow("the line is no JSON object");
    } else {
      row.object = std::move(*json);
    }
    return true;
  }

  // The rest of the line into raw. One that is too long becomes a bad row and is passed over in parts.
  Status TakeLine(TableRow& row) {
    row.line = line_;
    row.status = Ok();
    LFM_TRY(size_t end, window_.FindBreak(0, false));
    LFM_TRY(int last, window_.At(end));
    row.raw = window_.View(0, end);
    if (row.raw.ends_with('\r')) row.raw.pop_back();
    if (end > kMaxRecordBytes) {
      row.status = Error{ErrorCode::kLimit, StrCat("the line is longer than ", HumanBytes(kMaxRecordBytes))};
      row.raw.resize(1024);
      while (last != '\n' && last >= 0) {
        window_.Take(end);
        LFM_TRY(end, window_.FindBreak(0, false));
        LFM_TRY(last, window_.At(end));
      }
    }
    window_.Take(end + (last == '\n' ? 1 : 0));
    ++line_;
    return Ok();
  }

  Result<bool> ReadCsv(TableRow& row) {
    while (true) {  // past blank lines
      LFM_TRY(const int first, window_.At(0));
      if (first < 0) return false;
      LFM_TRY(const int second, first == '\r' ? window_.At(1) : Result<int>(first));
      if (second != '\n') break;
      window_.Take(first == '\r' ? 2 : 1);
      ++line_;
    }
    row.line = line_;
    size_t at = 0;
    LFM_TRY(const Status parsed, ParseRecord(row, at));
    if (!parsed.ok()) {
      // The quotes cannot be trusted: this line alone is lost, whatever they seem to enclose.
      row.fields.clear();
      LFM_RETURN_IF_ERROR(TakeLine(row));
      if (row.status.ok()) row.status = parsed;
      return true;
    }
    row.raw = window_.View(0, at);
    line_ += std::count(row.raw.begin(), row.raw.end(), '\n');
    while (row.raw.ends_with('\n') || row.raw.ends_with('\r')) row.raw.pop_back();
    window_.Take(at);
    row.status = CheckBytes(row.raw);
    if (row.status.ok() && !columns_.empty() && row.fields.size() != columns_.size()) {
      row.status = BadRow(StrCat("the row has ", row.fields.size(), " fields, and the header ", columns_.size()));
    }
    return true;
  }

  // The fields of one record (RFC 4180) and where it ends, its line end included. The inner status is the record's own.
  Result<Status> ParseRecord(TableRow& row, size_t& at) {
    const char separator = format_ == TableFormat::kTsv ? '\t' : ',';
    while (true) {
      LFM_TRY(const int first, window_.At(at));
      row.fields.emplace_back();
      if (first == '"') {
        LFM_TRY(const Status quoted, ParseQuoted(row.fields.back(), at));
        if (!quoted.ok()) return quoted;
      } else {
        LFM_TRY(const Status plain, ParsePlain(row.fields.back(), separator, at));
        if (!plain.ok()) return plain;
      }
      LFM_TRY(int next, window_.At(at));
      if (next == '\r') {
        LFM_TRY(const int after, window_.At(at + 1));
        if (after == '\n' || after < 0) {
          next = after;
          ++at;
        }
      }
      if (next == separator) {
        ++at;
        if (row.fields.size() > kMaxColumns) {
          return Status(BadRow(StrCat("the row has more than ", kMaxColumns, " fields")));
        }
        continue;
      }
      if (next == '\n') ++at;
      if (next == '\n' || next < 0) return Ok();
      return Status(BadRow(StrCat("field ", row.fields.size(), " goes on behind its closing quote")));
    }
  }

  Result<Status> ParseQuoted(std::string& field, size_t& at) {
    ++at;
    while (true) {
      LFM_TRY(const size_t quote, window_.FindBreak(at, true));
      LFM_TRY(const int found, window_.At(quote));
      if (quote > kMaxRecordBytes) {
        return Status(Error{ErrorCode::kLimit, StrCat("a quoted field is longer than ", HumanBytes(kMaxRecordBytes))});
      }
      if (found < 0) return Status(BadRow("a quoted field is never closed"));
      field += window_.View(at, quote);
      LFM_TRY(const int next, window_.At(quote + 1));
      at = quote + 1;
      if (next != '"') return Ok();
      field += '"';
      ++at;
    }
  }

  Result<Status> ParsePlain(std::string& field, char separator, size_t& at) {
    const size_t begin = at;
    while (true) {
      LFM_TRY(const int c, window_.At(at));
      if (c < 0 || c == '\n' || c == separator) break;
      // Many a TSV file knows no quoting; behind other text a quote can only be one.
      if (c == '"' && separator == ',') return Status(BadRow("a quote stands within a field that is not quoted"));
      ++at;
      if (at > kMaxRecordBytes)
        return Status(Error{ErrorCode::kLimit, StrCat("the row is longer than ", HumanBytes(kMaxRecordBytes))});
    }
    if (at > begin && window_.View(at - 1, at) == "\r") {
      LFM_TRY(const int c, window_.At(at));
      if (c != separator) --at;
    }
    field = window_.View(begin, at);
    return Ok();
  }

  Window window_;
  const TableFormat format_;
  std::vector<std::string> columns_;
  int64_t line_ = 1, n_rows_ = 0;
};

std::string ColumnList(const std::vector<std::string>& columns) {
  std::string list;
  for (size_t i = 0; i < std::min(columns.size(), kMostNamed); ++i) list += StrCat(i > 0 ? ", " : "", Plain(columns[i], 60));
  return columns.size() > kMostNamed ? list + ", ..." : list;
}

Result<std::string> MemberText(const Json& object, const std::string& name) {
  const Json* value = object.Find(name);
  if (!value) return BadRow(StrCat("the row has no member ", Quote(name)));
  if (value->is_string()) return value->AsString();
  if (value->is_number()) return value->NumberText();
  if (value->is_bool()) return std::string(value->AsBool() ? "true" : "false");
  return BadRow(StrCat("the member ", Quote(name), " is no text"));
}

}  // namespace

Result<std::unique_ptr<TableReader>> TableReader::Create(ByteSource source, TableFormat format) {
  auto reader = std::make_unique<Reader>(std::move(source), format);
  LFM_RETURN_IF_ERROR(reader->ReadBeginning());
  return std::unique_ptr<TableReader>(std::move(reader));
}

Result<TextTemplate> TextTemplate::Column(const std::string& name) {
  if (name.empty()) return BadRow("the name of the text's column is empty");
  TextTemplate made;
  made.parts_.push_back({"", name, 0});
  return made;
}

Result<TextTemplate> TextTemplate::Parse(std::string_view text) {
  TextTemplate made;
  std::string literal;
  bool any = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view two = text.substr(i, 2);
    if (two == "{{" || two == "}}" || two == "\\\\") {
      literal += text[i++];
    } else if (two == "\\n" || two == "\\t") {
      literal += two == "\\n" ? '\n' : '\t';
      ++i;
    } else if (text[i] == '{') {
      const size_t end = text.find('}', i);
      if (end == std::string_view::npos || end == i + 1) {
        return BadRow(StrCat("the template's brace at byte ", i, " opens no column's name; write {{ for a brace"));
      }
      made.parts_.push_back({std::exchange(literal, ""), "", 0});
      made.parts_.push_back({"", std::string(text.substr(i + 1, end - i - 1)), 0});
      any = true;
      i = end;
    } else if (text[i] == '}') {
      return BadRow(StrCat("the template's brace at byte ", i, " closes nothing; write }} for a brace"));
    } else {
      literal += text[i];
    }
  }
  if (!any) return BadRow("the template names no column: write {column}");
  made.parts_.push_back({literal, "", 0});
  return made;
}

Status TextTemplate::Bind(const std::vector<std::string>& columns) {
  for (Part& part : parts_) {
    if (part.column.empty()) continue;
    const auto it = std::find(columns.begin(), columns.end(), part.column);
    if (it == columns.end()) {
      return Error{ErrorCode::kNotFound,
                   StrCat("there is no column ", Quote(part.column), "; the columns are ", ColumnList(columns))};
    }
    part.place = static_cast<size_t>(it - columns.begin());
  }
  return Ok();
}

Result<std::string> TextTemplate::Of(const TableRow& row) const {
  if (!row.status.ok()) return row.status.error();
  std::string text;
  for (const Part& part : parts_) {
    if (part.column.empty()) {
      text += part.literal;
    } else if (row.object.is_object()) {
      LFM_TRY(const std::string member, MemberText(row.object, part.column));
      text += member;
    } else {
      text += row.fields[part.place];
    }
  }
  return text;
}

void AppendCsvField(std::string_view field, char separator, std::string& out) {
  const bool quoted = field.find_first_of(std::string("\"\r\n") + separator) != std::string_view::npos ||
                      (!field.empty() && (field.front() == ' ' || field.back() == ' ')) ||
                      field.starts_with("\xEF\xBB\xBF");  // bare at a file's beginning it would be the file's mark
  if (!quoted) {
    out += field;
    return;
  }
  out += '"';
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace lfm::classify
