// Tables of rows: any bytes as CSV, TSV, JSON lines and lines give rows or an error, and the same ones whatever the parts that they
// come in; what CSV holds survives being written and read again.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "classify/table.h"

namespace {

using lfm::classify::TableFormat;
using lfm::classify::TableReader;
using lfm::classify::TableRow;

std::vector<TableRow> ReadAll(std::string_view text, TableFormat format, size_t part, std::vector<std::string>& columns) {
  size_t at = 0;
  const auto source = [&](char* buffer, size_t size) -> lfm::Result<size_t> {
    const size_t n = std::min({size, part, text.size() - at});
    std::memcpy(buffer, text.data() + at, n);
    at += n;
    return n;
  };
  std::vector<TableRow> rows;
  auto reader = TableReader::Create(source, format);
  if (!reader.ok()) {
    LFM_CHECK(!reader.error().message.empty());
    return rows;
  }
  columns = (*reader)->columns();
  while (true) {
    TableRow row;
    const auto more = (*reader)->Next(row);
    LFM_CHECK(more.ok());
    if (!*more) break;
    rows.push_back(std::move(row));
    LFM_CHECK(rows.size() <= text.size() + 1);  // every row takes a byte at least
  }
  return rows;
}

void CheckEqual(const std::vector<TableRow>& a, const std::vector<TableRow>& b) {
  LFM_CHECK(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    LFM_CHECK(a[i].status.ok() == b[i].status.ok() && a[i].fields == b[i].fields && a[i].raw == b[i].raw &&
              a[i].line == b[i].line);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto format = static_cast<TableFormat>(data[0] % 4);
  const size_t part = data[1] % 32 + 1;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  std::vector<std::string> columns, same;
  const std::vector<TableRow> rows = ReadAll(text, format, size, columns);
  CheckEqual(rows, ReadAll(text, format, part, same));
  LFM_CHECK(columns == same);
  if (format != TableFormat::kCsv || columns.size() < 2) return 0;
  std::string written;
  size_t n_good = 0;
  const auto write = [&](const std::vector<std::string>& fields) {
    for (size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) written += ',';
      lfm::classify::AppendCsvField(fields[i], ',', written);
    }
    written += '\n';
  };
  write(columns);
  for (const TableRow& row : rows) {
    if (!row.status.ok()) continue;
    write(row.fields);
    ++n_good;
  }
  const std::vector<TableRow> again = ReadAll(written, format, part, same);
  LFM_CHECK(again.size() == n_good && same == columns);
  size_t at = 0;
  for (const TableRow& row : rows) {
    if (row.status.ok()) LFM_CHECK(again[at++].fields == row.fields);
  }
  return 0;
}
