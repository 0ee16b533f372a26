package validate

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func tolerations(p *field.Path, list []v1.Toleration) field.ErrorList {
	var errs field.ErrorList
	for i := range list {
		errs = append(errs, toleration(p.Index(i), &list[i])...)
	}
	return errs
}

func toleration(p *field.Path, t *v1.Toleration) field.ErrorList {
	errs := slices.Concat(
		optional(p.Child("key"), t.Key, func(p *field.Path, key string) field.ErrorList {
			return metavalidation.ValidateLabelName(key, p)
		}),
		when(t.Key == "" && t.Operator != v1.TolerationOpExists, field.Invalid(p.Child("operator"), t.Operator,
			"operator must be Exists when `key` is empty, which means \"match all values and all keys\"")),
		when(t.TolerationSeconds != nil && t.Effect != v1.TaintEffectNoExecute, field.Invalid(p.Child("effect"), t.Effect,
			"effect must be 'NoExecute' when `tolerationSeconds` is set")),
	)
	switch t.Operator {
	case v1.TolerationOpEqual, "":
		errs = append(errs, labelValue(p.Child("value"), t.Value)...)
	case v1.TolerationOpExists:
		errs = append(errs, when(t.Value != "",
			field.Invalid(p.Child("operator"), t.Value, "value must be empty when `operator` is 'Exists'"))...)
	case v1.TolerationOpLt, v1.TolerationOpGt:
		errs = append(errs, faults(p.Child("value"), t.Value, content.IsDecimalInteger(t.Value))...)
	default:
		errs = append(errs, field.NotSupported(p.Child("operator"), t.Operator,
			[]v1.TolerationOperator{v1.TolerationOpEqual, v1.TolerationOpExists, v1.TolerationOpLt, v1.TolerationOpGt}))
	}
	if t.Effect != "" {
		errs = append(errs, taintEffect(p.Child("effect"), t.Effect)...)
	}
	return errs
}
