package decode

import (
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// opaque checks values that read their own JSON by letting them.
func (c *checker) opaque(n *node, t reflect.Type) {
	if wantsObject(t) && n.kind != mapNode {
		c.report(n.pos, "expected object, got %s", n.describe())
		return
	}
	data, err := n.json()
	if err == nil {
		err = reflect.New(t).Interface().(json.Unmarshaler).UnmarshalJSON(data)
	}
	if err == nil && !(t == reflect.TypeFor[resource.Quantity]() && (n.kind == mapNode || n.kind == listNode)) {
		return
	}
	c.report(n.pos, "expected %s, got %s%s", expectation(t), n.describe(), quantityHint(n, t))
}

func wantsObject(t reflect.Type) bool {
	return t == reflect.TypeFor[metav1.FieldsV1]() || t == reflect.TypeFor[runtime.RawExtension]()
}

func expectation(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return "a quantity such as 500m, 2, 128Mi or 1Gi"
	case reflect.TypeFor[intstr.IntOrString]():
		return "integer or string (such as 25%)"
	case reflect.TypeFor[metav1.Time]():
		return "a time such as 2006-01-02T15:04:05Z"
	case reflect.TypeFor[metav1.MicroTime]():
		return "a time such as 2006-01-02T15:04:05.000000Z"
	case reflect.TypeFor[metav1.Duration]():
		return "a duration such as 1m30s"
	}
	return "a " + t.Name()
}

// quantityHint tries what people mean: "64MB", "64 Mi", "1gi", "2G i".
func quantityHint(n *node, t reflect.Type) string {
	s, ok := n.value.(string)
	if !ok || t != reflect.TypeFor[resource.Quantity]() {
		return ""
	}
	s = strings.Join(strings.Fields(s), "")
	short := strings.TrimRight(s, "bB")
	for _, guess := range []string{s, short, strings.ToUpper(short), upperFirstUnit(short)} {
		if _, err := resource.ParseQuantity(guess); err == nil && guess != "" && len(guess) < 40 {
			return `, did you mean "` + guess + `"?`
		}
	}
	return ""
}

// upperFirstUnit turns "1gi" and "1GI" into "1Gi".
func upperFirstUnit(s string) string {
	number := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit := strings.ToLower(s[len(number):])
	if unit == "" {
		return s
	}
	return number + strings.ToUpper(unit[:1]) + unit[1:]
}
