// What a request may hold, as a table: the same description checks requests and becomes /openapi.json. Every wrong type or
// value is refused with the path of the member; nothing is clamped and no default hides an error.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "server/api_result.h"

namespace lfm::server {

struct SchemaMember;

// One value. Limits count only for values of their own type. Immutable once it stands in a table; copies share content.
struct Schema {
  enum Type : unsigned {
    kNull = 1,
    kBool = 2,
    kInteger = 4,
    kNumber = 8,  // integers too
    kString = 16,
    kArray = 32,
    kObject = 64,
    kAnything = 127,
  };
  unsigned types = kAnything;

  int64_t min_integer = std::numeric_limits<int64_t>::min(), max_integer = std::numeric_limits<int64_t>::max();
  double min_number = -std::numeric_limits<double>::infinity();
  double max_number = std::numeric_limits<double>::infinity();
  bool above_min = false;  // min_number itself is refused

  size_t min_bytes = 0, max_bytes = std::numeric_limits<size_t>::max();  // of a string
  std::vector<std::string> values;                                       // of a string: one of these; empty: any
  bool is_name = false;                                                  // of a string: [A-Za-z0-9_-]{1,64}

  std::shared_ptr<const Schema> items;  // of an array; null: anything
  size_t min_items = 0, max_items = std::numeric_limits<size_t>::max();

  std::shared_ptr<const std::vector<SchemaMember>> members;  // of an object
  std::shared_ptr<const Schema> others;                      // of an object: the members that `members` does not name
  size_t max_members = std::numeric_limits<size_t>::max();

  // An object whose member of this name ("type", "role") says which of the variants it is.
  std::string discriminator;
  std::shared_ptr<const std::vector<std::pair<std::string, Schema>>> variants;
  std::string default_variant;  // where the discriminator is missing; empty: it is demanded

  // The same with these types as well: Text().Or(List(...)).
  Schema Or(const Schema& other) const;
  Schema Named() const;  // a string must be a name
};

struct SchemaMember {
  enum class Presence {
    kOptional,  // null is as good as absent
    kRequired,
    kRefused,  // not supported: only null and the neutral values pass
  };
  std::string name;
  Schema schema;
  std::string about;  // for /openapi.json
  Presence presence = Presence::kOptional;
  Json::Array neutral = {};  // kRefused: values that ask for nothing
};
using SchemaMembers = std::vector<SchemaMember>;

Schema BoolSchema();
Schema IntegerSchema(int64_t min = std::numeric_limits<int64_t>::min(), int64_t max = std::numeric_limits<int64_t>::max());
Schema NumberSchema(double min, double max);
Schema TextSchema(size_t min_bytes = 0, size_t max_bytes = std::numeric_limits<size_t>::max());
Schema ChoiceSchema(std::vector<std::string> values);
Schema ListSchema(Schema item, size_t min_items = 0, size_t max_items = std::numeric_limits<size_t>::max());
Schema ObjectSchema(SchemaMembers members = {});
Schema MapSchema(Schema value, size_t max_members);
Schema VariantSchema(std::string discriminator, std::vector<std::pair<std::string, Schema>> variants,
                     std::string default_variant = "");
SchemaMember Required(std::string name, Schema schema, std::string about);
SchemaMember Optional(std::string name, Schema schema, std::string about);
// A known parameter that this server does not have: refused by name unless it is null or one of `neutral`.
SchemaMember Refused(std::string name, std::string why, Json::Array neutral = {});

// Checks `value`; `path` names it in errors ("" at the top). Depth is bounded by the schema's own.
ApiStatus Check(const Schema& schema, const Json& value, const std::string& path = "");

// The same as a JSON Schema of draft 2020-12 (OpenAPI 3.1).
Json ToJsonSchema(const Schema& schema);

}  // namespace lfm::server
