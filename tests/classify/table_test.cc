// Tables: CSV by RFC 4180, JSON lines and plain lines, good and bad, whatever the parts that they come in.
#include "classify/table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>

namespace lfm::classify {
namespace {

// The text in parts of `part` bytes.
ByteSource PartsOf(std::string text, size_t part) {
  return [text = std::move(text), part, at = size_t{0}](char* buffer, size_t size) mutable -> Result<size_t> {
    const size_t n = std::min({size, part, text.size() - at});
    std::memcpy(buffer, text.data() + at, n);
    at += n;
    return n;
  };
}

struct ReadTable {
  std::vector<std::string> columns;
  std::vector<TableRow> rows;
  std::string error;  // of the whole
};

ReadTable ReadAll(const std::string& text, TableFormat format, size_t part = 1 << 20) {
  ReadTable table;
  auto reader = TableReader::Create(PartsOf(text, part), format);
  if (!reader.ok()) {
    table.error = reader.error().message;
    return table;
  }
  table.columns = (*reader)->columns();
  while (true) {
    TableRow row;
    auto more = (*reader)->Next(row);
    if (!more.ok()) table.error = more.error().message;
    if (!more.ok() || !*more) return table;
    table.rows.push_back(std::move(row));
  }
}

// "a|b" for a good row, "!why" for a bad one.
std::vector<std::string> Shown(const ReadTable& table) {
  std::vector<std::string> shown;
  for (const TableRow& row : table.rows) {
    std::string text = row.status.ok() ? "" : "!" + row.status.error().message;
    for (size_t i = 0; row.status.ok() && i < row.fields.size(); ++i) text += (i > 0 ? "|" : "") + row.fields[i];
    shown.push_back(text);
  }
  return shown;
}

using Rows = std::vector<std::string>;

TEST(Table, TsvTakesQuotesBehindOtherText) {
  const std::string text = "id\ttext\n1\tsay \"hi\" twice\n2\t\"a \"\"b\"\"\tc\"\n3\t6\" nails\n";
  for (const size_t part : {1, 5, 1000}) {
    EXPECT_EQ(Shown(ReadAll(text, TableFormat::kTsv, part)), (Rows{"1|say \"hi\" twice", "2|a \"b\"\tc", "3|6\" nails"}));
  }
}

TEST(Table, CsvAsRfc4180HasIt) {
  const std::string text = "id,text\r\n1,plain\r\n2,\"a, \"\"b\"\"\r\nc\"\r\n\r\n3,\n4,\"\"\n5,last";
  for (const size_t part : {1, 2, 3, 7, 1000}) {
    const ReadTable table = ReadAll(text, TableFormat::kCsv, part);
    EXPECT_EQ(table.columns, (Rows{"id", "text"}));
    EXPECT_EQ(Shown(table), (Rows{"1|plain", "2|a, \"b\"\r\nc", "3|", "4|", "5|last"})) << part;
    ASSERT_EQ(table.rows.size(), 5u);
    EXPECT_EQ(table.rows[1].line, 3);
    EXPECT_EQ(table.rows[2].line, 6);
    EXPECT_EQ(table.rows[4].number, 5);
    EXPECT_EQ(table.rows[1].raw, "2,\"a, \"\"b\"\"\r\nc\"");
  }
}

TEST(Table, EndsOfEveryKind) {
  EXPECT_EQ(Shown(ReadAll("a\n1\r", TableFormat::kCsv)), (Rows{"1"}));
  EXPECT_EQ(Shown(ReadAll("a\n\"1\"\r", TableFormat::kCsv)), (Rows{"1"}));
  EXPECT_EQ(Shown(ReadAll("a,b\n1,", TableFormat::kCsv)), (Rows{"1|"}));
  EXPECT_EQ(Shown(ReadAll("a,b\n1\r2,3\n", TableFormat::kCsv)), (Rows{"1\r2|3"}));
  EXPECT_EQ(Shown(ReadAll("a\n", TableFormat::kCsv)), Rows{});
  EXPECT_EQ(Shown(ReadAll("\xEF\xBB\xBF"
                          "a\tb\n1\t2,3\n",
                          TableFormat::kTsv)),
            (Rows{"1|2,3"}));
}

TEST(Table, ABadRowHarmsNoOther) {
  using namespace std::string_literals;
  const std::string text = "id,text\n1,ok\n2,\"open\n3,ok\n4,a\"b\n5,\"x\"y\n6\n7,a,b\n8,\0z\n9,ok\n"s;
  for (const size_t part : {1, 5, 1000}) {
    EXPECT_EQ(
        Shown(ReadAll(text, TableFormat::kCsv, part)),
        (Rows{"1|ok", "!field 2 goes on behind its closing quote", "3|ok", "!a quote stands within a field that is not quoted",
              "!field 2 goes on behind its closing quote", "!the row has 1 fields, and the header 2",
              "!the row has 3 fields, and the header 2", "!the row holds a NUL byte", "9|ok"}))
        << part;
  }
  const ReadTable open = ReadAll("id\n1\n\"never\n2\n3\n", TableFormat::kCsv);
  EXPECT_EQ(Shown(open), (Rows{"1", "!a quoted field is never closed", "2", "3"}));
  EXPECT_EQ(open.rows[1].raw, "\"never");
  EXPECT_EQ(open.rows[2].line, 4);
}

TEST(Table, BadHeaders) {
  EXPECT_EQ(ReadAll("", TableFormat::kCsv).error, "the input is empty: a CSV file begins with a line of column names");
  EXPECT_EQ(ReadAll("a,,b\n", TableFormat::kCsv).error, "the header's column 2 has no name");
  EXPECT_EQ(ReadAll("a,a\n", TableFormat::kCsv).error, "the header has two columns 'a'");
  EXPECT_EQ(ReadAll("\"a\n", TableFormat::kCsv).error, "the header: a quoted field is never closed");
  EXPECT_EQ(ReadAll("\xFF\xFE"
                    "a",
                    TableFormat::kCsv)
                .error,
            "the input is UTF-16; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)");
}

TEST(Table, ACellOfTenMegabytes) {
  const std::string cell(10 << 20, 'x');
  const ReadTable table = ReadAll("a,b\n1,\"" + cell + "\"\n2," + cell + "\n3,c\n", TableFormat::kCsv, 1 << 16);
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0].fields[1], cell);
  EXPECT_EQ(table.rows[1].fields[1], cell);
  EXPECT_EQ(table.rows[2].fields[1], "c");
}

TEST(Table, JsonLinesAndLines) {
  const ReadTable json = ReadAll("{\"text\": \"a\", \"n\": 1}\r\n\n[1]\n{\"text\n{}\n", TableFormat::kJsonl);
  ASSERT_EQ(json.rows.size(), 4u);
  EXPECT_EQ(json.rows[0].object["text"].AsString(), "a");
  EXPECT_EQ(json.rows[1].status.error().message, "the line is no JSON object");
  EXPECT_EQ(json.rows[1].line, 3);
  EXPECT_FALSE(json.rows[2].status.ok());
  EXPECT_TRUE(json.rows[3].status.ok());
  const ReadTable lines = ReadAll("a\r\n\nb \"c\"", TableFormat::kLines);
  EXPECT_EQ(lines.columns, (Rows{"text"}));
  EXPECT_EQ(Shown(lines), (Rows{"a", "", "b \"c\""}));
}

TEST(Table, AnErrorOfTheSourceIsOne) {
  int n = 0;
  auto reader = TableReader::Create(
      [&n](char* buffer, size_t) -> Result<size_t> {
        if (++n > 1) return Error{ErrorCode::kIo, "gone"};
        std::memcpy(buffer, "a\n1\n2", 5);
        return size_t{5};
      },
      TableFormat::kCsv);
  ASSERT_TRUE(reader.ok());
  TableRow row;
  ASSERT_TRUE((*reader)->Next(row).ok());
  const auto more = (*reader)->Next(row);
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().message, "gone");
}

std::string TextOf(const std::string& pattern, const TableRow& row, const std::vector<std::string>& columns) {
  auto made = TextTemplate::Parse(pattern);
  if (!made.ok()) return "!" + made.error().message;
  if (!columns.empty()) {
    if (const Status bound = made->Bind(columns); !bound.ok()) return "!" + bound.error().message;
  }
  const auto text = made->Of(row);
  return text.ok() ? *text : "!" + text.error().message;
}

TEST(Table, Templates) {
  TableRow row;
  row.fields = {"s", "b"};
  const std::vector<std::string> columns = {"subject", "body"};
  EXPECT_EQ(TextOf("{subject}\\n{body}{{x}}", row, columns), "s\nb{x}");
  EXPECT_EQ(TextOf("{subjct}", row, columns), "!there is no column 'subjct'; the columns are subject, body");
  EXPECT_EQ(TextOf("text", row, columns), "!the template names no column: write {column}");
  EXPECT_EQ(TextOf("{subject", row, columns), "!the template's brace at byte 0 opens no column's name; write {{ for a brace");
  EXPECT_EQ(TextOf("a}", row, columns), "!the template's brace at byte 1 closes nothing; write }} for a brace");
  TableRow json;
  json.object = *ParseJson(R"({"a": "x", "n": 1.50, "b": true, "o": {}})");
  EXPECT_EQ(TextOf("{a} {n} {b}", json, {}), "x 1.50 true");
  EXPECT_EQ(TextOf("{o}", json, {}), "!the member 'o' is no text");
  EXPECT_EQ(TextOf("{z}", json, {}), "!the row has no member 'z'");
}

TEST(Table, FieldsAreQuotedWhereTheyMustBe) {
  const auto quoted = [](std::string_view field) {
    std::string out;
    AppendCsvField(field, ',', out);
    return out;
  };
  EXPECT_EQ(quoted("a b"), "a b");
  EXPECT_EQ(quoted("a,b"), "\"a,b\"");
  EXPECT_EQ(quoted("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quoted("a\nb"), "\"a\nb\"");
  EXPECT_EQ(quoted(" a"), "\" a\"");
  EXPECT_EQ(quoted(""), "");
  EXPECT_EQ(quoted("\xEF\xBB\xBFid"), "\"\xEF\xBB\xBFid\"");  // a second mark behind the file's own belongs to the name
}

}  // namespace
}  // namespace lfm::classify
