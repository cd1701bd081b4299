// Rows of texts from CSV (RFC 4180), JSON lines or plain lines, one at a time: memory does not grow with the input.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace lfm::classify {

enum class TableFormat : uint8_t { kCsv, kTsv, kJsonl, kLines };

// Bytes of an input, in parts: fills `buffer` as far as it wants, 0 at the end. A file, standard input, an inflated one.
using ByteSource = std::function<Result<size_t>(char* buffer, size_t size)>;

constexpr size_t kMaxRecordBytes = size_t{64} << 20;  // of a row; a longer one is a bad row, and the next ones go on
constexpr size_t kMaxColumns = 4096;

// One row. A bad one has a status that says what is wrong; its text is empty and `raw` holds what could not be read.
struct TableRow {
  int64_t number = 0;               // from 1, header not counted
  int64_t line = 0;                 // in the file, from 1, where it begins
  Status status;                    // a broken quote, a wrong number of fields, a NUL byte, no JSON, no such member ...
  std::vector<std::string> fields;  // kCsv, kTsv: as many as columns; kLines: one
  Json object;                      // kJsonl
  std::string raw;                  // the record as it stands in the file, without its line end
};

// Not thread-safe. A record with a broken quote is a bad row of one line; reading goes on in the line after it.
class TableReader {
 public:
  // Reads the header of a CSV file: a byte order mark is skipped; UTF-16, no header, an empty or doubled column name, or
  // more than kMaxColumns are errors.
  static Result<std::unique_ptr<TableReader>> Create(ByteSource source, TableFormat format);
  virtual ~TableReader() = default;

  virtual const std::vector<std::string>& columns() const = 0;  // kLines: {"text"}; kJsonl: none
  // False at the end. An error is one of the source. Blank lines between records are skipped (kLines: kept as rows).
  virtual Result<bool> Next(TableRow& row) = 0;
};

// How a row's text is made: one column (or member), or a template "{subject}\n{body}" of several; "{{" and "}}" are braces,
// "\n" and "\t" may be written as such.
class TextTemplate {
 public:
  static Result<TextTemplate> Column(const std::string& name);
  static Result<TextTemplate> Parse(std::string_view text);

  // Finds the columns in a CSV header; an error names the missing one and what there is. Not needed for kJsonl.
  Status Bind(const std::vector<std::string>& columns);
  // A JSON member that is a number or a boolean counts as its text; an object, a list, null or none is an error.
  Result<std::string> Of(const TableRow& row) const;

 private:
  struct Part {
    std::string literal, column;  // one of them is used
    size_t place = 0;
  };
  std::vector<Part> parts_;
};

// A field as CSV: quoted where it must be. separator: ',' or '\t'.
void AppendCsvField(std::string_view field, char separator, std::string& out);

}  // namespace lfm::classify
