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
struct SchemaRule;

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
  bool is_token = false;  // of an integer: an id of the model's vocabulary, whose size /openapi.json fills in
  double min_number = -std::numeric_limits<double>::infinity();
  double max_number = std::numeric_limits<double>::infinity();
  bool above_min = false;                                          // min_number itself is refused
  double promised_min = -std::numeric_limits<double>::infinity();  // what /openapi.json says in place of min_number

  size_t min_bytes = 0, max_bytes = std::numeric_limits<size_t>::max();  // of a string
  std::vector<std::string> values;                                       // of a string: one of these; empty: any
  bool is_name = false;                                                  // of a string: [A-Za-z0-9_-]{1,64}

  std::shared_ptr<const Schema> items;  // of an array; null: anything
  size_t min_items = 0, max_items = std::numeric_limits<size_t>::max();

  std::shared_ptr<const std::vector<SchemaMember>> members;  // of an object
  std::shared_ptr<const Schema> others;                      // of an object: the members that `members` does not name
  size_t max_members = std::numeric_limits<size_t>::max();
  bool keys_are_tokens = false;                          // of an object: its members' names are token ids
  std::shared_ptr<const std::vector<SchemaRule>> rules;  // of an object: between `members`

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

// What one member of an object asks of another. A member that is null is as good as absent.
struct SchemaRule {
  enum class Kind {
    kNeeds,    // members[0], where it is given and not `free`, needs members[1]: true, or a list with items
    kSome,     // one at least is given
    kOne,      // one is given, and no other
    kNotBoth,  // members[0] and members[1] are not both true
  };
  Kind kind;
  std::vector<std::string> members;
  std::string message;                 // the error's; it names members[0]
  std::vector<std::string> free = {};  // kNeeds: texts, or "type"s of objects, that need nothing
};
using SchemaRules = std::vector<SchemaRule>;

Schema BoolSchema();
Schema IntegerSchema(int64_t min = std::numeric_limits<int64_t>::min(), int64_t max = std::numeric_limits<int64_t>::max());
Schema NumberSchema(double min, double max);
Schema TextSchema(size_t min_bytes = 0, size_t max_bytes = std::numeric_limits<size_t>::max());
Schema ChoiceSchema(std::vector<std::string> values);
Schema ListSchema(Schema item, size_t min_items = 0, size_t max_items = std::numeric_limits<size_t>::max());
Schema TokenIdSchema();
Schema ObjectSchema(SchemaMembers members = {}, SchemaRules rules = {});
Schema MapSchema(Schema value, size_t max_members);
Schema VariantSchema(std::string discriminator, std::vector<std::pair<std::string, Schema>> variants,
                     std::string default_variant = "");
SchemaMember Required(std::string name, Schema schema, std::string about);
SchemaMember Optional(std::string name, Schema schema, std::string about);
// A known parameter that this server does not have: refused by name unless it is null or one of `neutral`.
SchemaMember Refused(std::string name, std::string why, Json::Array neutral = {});

// Checks `value`; `path` names it in errors ("" at the top). Depth is bounded by the schema's own.
ApiStatus Check(const Schema& schema, const Json& value, const std::string& path = "");

// The same as a JSON Schema of draft 2020-12 (OpenAPI 3.1). Token ids are marked by "x-token-id": true.
Json ToJsonSchema(const Schema& schema);

}  // namespace lfm::server
