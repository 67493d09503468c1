"""The weights that can be fetched by name: which repository of the hub holds them.

The table is open_clip's (version 3.3), so that a fetch does not take open_clip; a test compares
them wherever it is installed. Sizes are counted from the architectures.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from c2v.encoder.licences import Licence, licence_of
from c2v.encoder.registry import NICKNAMES, short_name

_BYTES: Final = 4  # of a weight in fp32
_HEAVY: Final = ("RN", "convnext", "ViTamin", "MobileCLIP", "EVA")
"""Beginnings of architectures whose image towers run on PyTorch alone."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Weights of an architecture of open_clip under one of its tags."""

    architecture: str
    tag: str
    repository: str
    file: str
    """Of the weights, where it has not one of the usual names."""
    millions: int
    """Of weights."""

    @property
    def source(self) -> str:
        """``ARCHITECTURE/TAG``."""
        return f"{self.architecture}/{self.tag}"

    @property
    def name(self) -> str:
        """What it is called here: ``ViT-B-32``, or its source."""
        return short_name(self.source)

    @property
    def quick_gelu(self) -> bool:
        """Whether they were trained with QuickGELU: open_clip has such weights under an
        architecture of that name, too."""
        plain = self.architecture.removesuffix("-quickgelu")
        return f"{plain}-quickgelu/{self.tag}" in pretrained()

    @property
    def licence(self) -> Licence:
        """What may be done with it."""
        return licence_of(self.repository)

    @property
    def size_bytes(self) -> int:
        """Of the weights in fp32, about."""
        return _BYTES * 1_000_000 * self.millions

    @property
    def is_light(self) -> bool:
        """Whether neither PyTorch nor open_clip is needed to run it."""
        return not self.architecture.startswith(_HEAVY)

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v model list --available``."""
        return {
            "name": self.name,
            "size_bytes": self.size_bytes,
            "licence": self.licence.name or None,
            "use": self.licence.use,
            "page": self.licence.page,
            "repository": self.repository,
            "needs_torch": not self.is_light,
        }


def find_pretrained(source: str) -> Pretrained | None:
    """The weights ``ARCHITECTURE/TAG``, if they are known."""
    return pretrained().get(source)


@functools.cache
def pretrained() -> Mapping[str, Pretrained]:
    """All that is known, by source: those with a name of their own first."""
    found = {}
    for line in _TABLE.strip().splitlines():
        architecture, tag, millions, repository, *file = line.split()
        one = Pretrained(architecture, tag, repository, "".join(file), int(millions))
        found[one.source] = one
    own = {source: found.pop(source) for source in NICKNAMES.values()}
    return own | found


# ruff: noqa: E501
_TABLE: Final = """
RN50 openai 102 timm/resnet50_clip.openai
RN50 yfcc15m 102 timm/resnet50_clip.yfcc15m
RN50 cc12m 102 timm/resnet50_clip.cc12m
RN101 openai 120 timm/resnet101_clip.openai
RN101 yfcc15m 120 timm/resnet101_clip.yfcc15m
RN50x4 openai 178 timm/resnet50x4_clip.openai
RN50x16 openai 291 timm/resnet50x16_clip.openai
RN50x64 openai 623 timm/resnet50x64_clip.openai
ViT-B-32 openai 151 timm/vit_base_patch32_clip_224.openai
ViT-B-32 laion400m_e31 151 timm/vit_base_patch32_clip_224.laion400m_e31
ViT-B-32 laion400m_e32 151 timm/vit_base_patch32_clip_224.laion400m_e32
ViT-B-32 laion2b_e16 151 timm/vit_base_patch32_clip_224.laion2b_e16
ViT-B-32 laion2b_s34b_b79k 151 laion/CLIP-ViT-B-32-laion2B-s34B-b79K
ViT-B-32 datacomp_xl_s13b_b90k 151 laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K
ViT-B-32 datacomp_m_s128m_b4k 151 laion/CLIP-ViT-B-32-DataComp.M-s128M-b4K
ViT-B-32 commonpool_m_clip_s128m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.M.clip-s128M-b4K
ViT-B-32 commonpool_m_laion_s128m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.M.laion-s128M-b4K
ViT-B-32 commonpool_m_image_s128m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.M.image-s128M-b4K
ViT-B-32 commonpool_m_text_s128m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.M.text-s128M-b4K
ViT-B-32 commonpool_m_basic_s128m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.M.basic-s128M-b4K
ViT-B-32 commonpool_m_s128m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.M-s128M-b4K
ViT-B-32 datacomp_s_s13m_b4k 151 laion/CLIP-ViT-B-32-DataComp.S-s13M-b4K
ViT-B-32 commonpool_s_clip_s13m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.S.clip-s13M-b4K
ViT-B-32 commonpool_s_laion_s13m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.S.laion-s13M-b4K
ViT-B-32 commonpool_s_image_s13m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.S.image-s13M-b4K
ViT-B-32 commonpool_s_text_s13m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.S.text-s13M-b4K
ViT-B-32 commonpool_s_basic_s13m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.S.basic-s13M-b4K
ViT-B-32 commonpool_s_s13m_b4k 151 laion/CLIP-ViT-B-32-CommonPool.S-s13M-b4K
ViT-B-32 metaclip_400m 151 timm/vit_base_patch32_clip_224.metaclip_400m
ViT-B-32 metaclip_fullcc 151 timm/vit_base_patch32_clip_224.metaclip_2pt5b
ViT-B-32-256 datacomp_s34b_b86k 151 laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K
ViT-B-16 openai 150 timm/vit_base_patch16_clip_224.openai
ViT-B-16 laion400m_e31 150 timm/vit_base_patch16_clip_224.laion400m_e31
ViT-B-16 laion400m_e32 150 timm/vit_base_patch16_clip_224.laion400m_e32
ViT-B-16 laion2b_s34b_b88k 150 laion/CLIP-ViT-B-16-laion2B-s34B-b88K
ViT-B-16 datacomp_xl_s13b_b90k 150 laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K
ViT-B-16 datacomp_l_s1b_b8k 150 laion/CLIP-ViT-B-16-DataComp.L-s1B-b8K
ViT-B-16 commonpool_l_clip_s1b_b8k 150 laion/CLIP-ViT-B-16-CommonPool.L.clip-s1B-b8K
ViT-B-16 commonpool_l_laion_s1b_b8k 150 laion/CLIP-ViT-B-16-CommonPool.L.laion-s1B-b8K
ViT-B-16 commonpool_l_image_s1b_b8k 150 laion/CLIP-ViT-B-16-CommonPool.L.image-s1B-b8K
ViT-B-16 commonpool_l_text_s1b_b8k 150 laion/CLIP-ViT-B-16-CommonPool.L.text-s1B-b8K
ViT-B-16 commonpool_l_basic_s1b_b8k 150 laion/CLIP-ViT-B-16-CommonPool.L.basic-s1B-b8K
ViT-B-16 commonpool_l_s1b_b8k 150 laion/CLIP-ViT-B-16-CommonPool.L-s1B-b8K
ViT-B-16 dfn2b 150 apple/DFN2B-CLIP-ViT-B-16
ViT-B-16 metaclip_400m 150 timm/vit_base_patch16_clip_224.metaclip_400m
ViT-B-16 metaclip_fullcc 150 timm/vit_base_patch16_clip_224.metaclip_2pt5b
ViT-B-16-plus-240 laion400m_e31 208 timm/vit_base_patch16_plus_clip_240.laion400m_e31
ViT-B-16-plus-240 laion400m_e32 208 timm/vit_base_patch16_plus_clip_240.laion400m_e31
ViT-L-14 openai 428 timm/vit_large_patch14_clip_224.openai
ViT-L-14 laion400m_e31 428 timm/vit_large_patch14_clip_224.laion400m_e31
ViT-L-14 laion400m_e32 428 timm/vit_large_patch14_clip_224.laion400m_e32
ViT-L-14 laion2b_s32b_b82k 428 laion/CLIP-ViT-L-14-laion2B-s32B-b82K
ViT-L-14 datacomp_xl_s13b_b90k 428 laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K
ViT-L-14 commonpool_xl_clip_s13b_b90k 428 laion/CLIP-ViT-L-14-CommonPool.XL.clip-s13B-b90K
ViT-L-14 commonpool_xl_laion_s13b_b90k 428 laion/CLIP-ViT-L-14-CommonPool.XL.laion-s13B-b90K
ViT-L-14 commonpool_xl_s13b_b90k 428 laion/CLIP-ViT-L-14-CommonPool.XL-s13B-b90K
ViT-L-14 metaclip_400m 428 timm/vit_large_patch14_clip_224.metaclip_400m
ViT-L-14 metaclip_fullcc 428 timm/vit_large_patch14_clip_224.metaclip_2pt5b
ViT-L-14 dfn2b 428 apple/DFN2B-CLIP-ViT-L-14
ViT-L-14 dfn2b_s39b 428 apple/DFN2B-CLIP-ViT-L-14-39B
ViT-L-14-336 openai 428 timm/vit_large_patch14_clip_336.openai
ViT-H-14 laion2b_s32b_b79k 986 laion/CLIP-ViT-H-14-laion2B-s32B-b79K
ViT-H-14 metaclip_fullcc 986 timm/vit_huge_patch14_clip_224.metaclip_2pt5b
ViT-H-14 metaclip_altogether 986 timm/vit_huge_patch14_clip_224.metaclip_altogether
ViT-H-14 dfn5b 986 apple/DFN5B-CLIP-ViT-H-14
ViT-H-14-378 dfn5b 987 apple/DFN5B-CLIP-ViT-H-14-378
ViT-g-14 laion2b_s12b_b42k 1367 laion/CLIP-ViT-g-14-laion2B-s12B-b42K
ViT-g-14 laion2b_s34b_b88k 1367 laion/CLIP-ViT-g-14-laion2B-s34B-b88K
ViT-bigG-14 laion2b_s39b_b160k 2540 laion/CLIP-ViT-bigG-14-laion2B-39B-b160k
ViT-bigG-14 metaclip_fullcc 2540 timm/vit_gigantic_patch14_clip_224.metaclip_2pt5b
roberta-ViT-B-32 laion2b_s12b_b32k 213 laion/CLIP-ViT-B-32-roberta-base-laion2B-s12B-b32k
xlm-roberta-base-ViT-B-32 laion5b_s13b_b90k 366 laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k
xlm-roberta-large-ViT-H-14 frozen_laion5b_s13b_b90k 1193 laion/CLIP-ViT-H-14-frozen-xlm-roberta-large-laion5B-s13B-b90k
convnext_base laion400m_s13b_b51k 152 laion/CLIP-convnext_base-laion400M-s13B-b51K
convnext_base_w laion2b_s13b_b82k 179 laion/CLIP-convnext_base_w-laion2B-s13B-b82K
convnext_base_w laion2b_s13b_b82k_augreg 179 laion/CLIP-convnext_base_w-laion2B-s13B-b82K-augreg
convnext_base_w laion_aesthetic_s13b_b82k 179 laion/CLIP-convnext_base_w-laion_aesthetic-s13B-b82K
convnext_base_w_320 laion_aesthetic_s13b_b82k 179 laion/CLIP-convnext_base_w_320-laion_aesthetic-s13B-b82K
convnext_base_w_320 laion_aesthetic_s13b_b82k_augreg 179 laion/CLIP-convnext_base_w_320-laion_aesthetic-s13B-b82K-augreg
convnext_large_d laion2b_s26b_b102k_augreg 352 laion/CLIP-convnext_large_d.laion2B-s26B-b102K-augreg
convnext_large_d_320 laion2b_s29b_b131k_ft 352 laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft
convnext_large_d_320 laion2b_s29b_b131k_ft_soup 352 laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup
convnext_xxlarge laion2b_s34b_b82k_augreg 1201 laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg
convnext_xxlarge laion2b_s34b_b82k_augreg_rewind 1201 laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-rewind
convnext_xxlarge laion2b_s34b_b82k_augreg_soup 1201 laion/CLIP-convnext_xxlarge-laion2B-s34B-b82K-augreg-soup
coca_ViT-B-32 laion2b_s13b_b90k 254 laion/CoCa-ViT-B-32-laion2B-s13B-b90k
coca_ViT-B-32 mscoco_finetuned_laion2b_s13b_b90k 254 laion/mscoco_finetuned_CoCa-ViT-B-32-laion2B-s13B-b90k
coca_ViT-L-14 laion2b_s13b_b90k 638 laion/CoCa-ViT-L-14-laion2B-s13B-b90k
coca_ViT-L-14 mscoco_finetuned_laion2b_s13b_b90k 638 laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k
EVA01-g-14 laion400m_s11b_b41k 1136 timm/eva_giant_patch14_clip_224.laion400m_s11b_b41k
EVA01-g-14-plus merged2b_s11b_b114k 1367 timm/eva_giant_patch14_plus_clip_224.merged2b_s11b_b114k
EVA02-B-16 merged2b_s8b_b131k 150 timm/eva02_base_patch16_clip_224.merged2b_s8b_b131k
EVA02-L-14 merged2b_s4b_b131k 428 timm/eva02_large_patch14_clip_224.merged2b_s4b_b131k
EVA02-L-14-336 merged2b_s6b_b61k 428 timm/eva02_large_patch14_clip_336.merged2b_s6b_b61k
EVA02-E-14 laion2b_s4b_b115k 4705 timm/eva02_enormous_patch14_clip_224.laion2b_s4b_b115k
EVA02-E-14-plus laion2b_s9b_b144k 5045 timm/eva02_enormous_patch14_plus_clip_224.laion2b_s9b_b144k
ViT-B-16-SigLIP webli 203 timm/ViT-B-16-SigLIP
ViT-B-16-SigLIP-256 webli 203 timm/ViT-B-16-SigLIP-256
ViT-B-16-SigLIP-i18n-256 webli 371 timm/ViT-B-16-SigLIP-i18n-256
ViT-B-16-SigLIP-384 webli 203 timm/ViT-B-16-SigLIP-384
ViT-B-16-SigLIP-512 webli 204 timm/ViT-B-16-SigLIP-512
ViT-L-16-SigLIP-256 webli 652 timm/ViT-L-16-SigLIP-256
ViT-L-16-SigLIP-384 webli 652 timm/ViT-L-16-SigLIP-384
ViT-SO400M-14-SigLIP webli 877 timm/ViT-SO400M-14-SigLIP
ViT-SO400M-16-SigLIP-i18n-256 webli 1127 timm/ViT-SO400M-16-SigLIP-i18n-256
ViT-SO400M-14-SigLIP-378 webli 878 timm/ViT-SO400M-14-SigLIP-384
ViT-SO400M-14-SigLIP-384 webli 878 timm/ViT-SO400M-14-SigLIP-384
ViT-B-32-SigLIP2-256 webli 377 timm/ViT-B-32-SigLIP2-256
ViT-B-16-SigLIP2 webli 375 timm/ViT-B-16-SigLIP2
ViT-B-16-SigLIP2-256 webli 375 timm/ViT-B-16-SigLIP2-256
ViT-B-16-SigLIP2-384 webli 375 timm/ViT-B-16-SigLIP2-384
ViT-B-16-SigLIP2-512 webli 376 timm/ViT-B-16-SigLIP2-512
ViT-L-16-SigLIP2-256 webli 882 timm/ViT-L-16-SigLIP2-256
ViT-L-16-SigLIP2-384 webli 882 timm/ViT-L-16-SigLIP2-384
ViT-L-16-SigLIP2-512 webli 882 timm/ViT-L-16-SigLIP2-512
ViT-SO400M-14-SigLIP2 webli 1135 timm/ViT-SO400M-14-SigLIP2
ViT-SO400M-14-SigLIP2-378 webli 1136 timm/ViT-SO400M-14-SigLIP2-378
ViT-SO400M-16-SigLIP2-256 webli 1136 timm/ViT-SO400M-16-SigLIP2-256
ViT-SO400M-16-SigLIP2-384 webli 1136 timm/ViT-SO400M-16-SigLIP2-384
ViT-SO400M-16-SigLIP2-512 webli 1137 timm/ViT-SO400M-16-SigLIP2-512
ViT-gopt-16-SigLIP2-256 webli 1871 timm/ViT-gopt-16-SigLIP2-256
ViT-gopt-16-SigLIP2-384 webli 1872 timm/ViT-gopt-16-SigLIP2-384
ViT-L-14-CLIPA datacomp1b 414 UCSC-VLAA/ViT-L-14-CLIPA-datacomp1B
ViT-L-14-CLIPA-336 datacomp1b 415 UCSC-VLAA/ViT-L-14-CLIPA-336-datacomp1B
ViT-H-14-CLIPA datacomp1b 968 UCSC-VLAA/ViT-H-14-CLIPA-datacomp1B
ViT-H-14-CLIPA-336 laion2b 969 UCSC-VLAA/ViT-H-14-CLIPA-336-laion2B
ViT-H-14-CLIPA-336 datacomp1b 969 UCSC-VLAA/ViT-H-14-CLIPA-336-datacomp1B
ViT-bigG-14-CLIPA datacomp1b 2517 UCSC-VLAA/ViT-bigG-14-CLIPA-datacomp1B
ViT-bigG-14-CLIPA-336 datacomp1b 2518 UCSC-VLAA/ViT-bigG-14-CLIPA-336-datacomp1B
nllb-clip-base v1 502 visheratin/nllb-clip-base-oc
nllb-clip-large v1 1399 visheratin/nllb-clip-large-oc
nllb-clip-base-siglip v1 507 visheratin/nllb-clip-base-siglip
nllb-clip-base-siglip mrl 507 visheratin/nllb-siglip-mrl-base
nllb-clip-large-siglip v1 1196 visheratin/nllb-clip-large-siglip
nllb-clip-large-siglip mrl 1196 visheratin/nllb-siglip-mrl-large
MobileCLIP-S1 datacompdr 85 apple/MobileCLIP-S1-OpenCLIP
MobileCLIP-S2 datacompdr 99 apple/MobileCLIP-S2-OpenCLIP
MobileCLIP-B datacompdr 150 apple/MobileCLIP-B-OpenCLIP
MobileCLIP-B datacompdr_lt 150 apple/MobileCLIP-B-LT-OpenCLIP
MobileCLIP2-B dfndr2b 150 timm/MobileCLIP2-B-OpenCLIP
MobileCLIP2-S0 dfndr2b 75 timm/MobileCLIP2-S0-OpenCLIP
MobileCLIP2-S2 dfndr2b 99 timm/MobileCLIP2-S2-OpenCLIP
MobileCLIP2-S3 dfndr2b 249 timm/MobileCLIP2-S3-OpenCLIP
MobileCLIP2-S4 dfndr2b 445 timm/MobileCLIP2-S4-OpenCLIP
MobileCLIP2-L-14 dfndr2b 428 timm/MobileCLIP2-L-14-OpenCLIP
ViTamin-S datacomp1b 62 jienengchen/ViTamin-S pytorch_model.bin
ViTamin-S-LTT datacomp1b 146 jienengchen/ViTamin-S-LTT pytorch_model.bin
ViTamin-B datacomp1b 151 jienengchen/ViTamin-B pytorch_model.bin
ViTamin-B-LTT datacomp1b 211 jienengchen/ViTamin-B-LTT pytorch_model.bin
ViTamin-L datacomp1b 457 jienengchen/ViTamin-L-224px pytorch_model.bin
ViTamin-L-256 datacomp1b 457 jienengchen/ViTamin-L-256px pytorch_model.bin
ViTamin-L-336 datacomp1b 457 jienengchen/ViTamin-L-336px pytorch_model.bin
ViTamin-L-384 datacomp1b 457 jienengchen/ViTamin-L-384px pytorch_model.bin
ViTamin-L2 datacomp1b 688 jienengchen/ViTamin-L2-224px pytorch_model.bin
ViTamin-L2-256 datacomp1b 688 jienengchen/ViTamin-L2-256px pytorch_model.bin
ViTamin-L2-336 datacomp1b 688 jienengchen/ViTamin-L2-336px pytorch_model.bin
ViTamin-L2-384 datacomp1b 688 jienengchen/ViTamin-L2-384px pytorch_model.bin
ViTamin-XL-256 datacomp1b 925 jienengchen/ViTamin-XL-256px pytorch_model.bin
ViTamin-XL-336 datacomp1b 925 jienengchen/ViTamin-XL-336px pytorch_model.bin
ViTamin-XL-384 datacomp1b 925 jienengchen/ViTamin-XL-384px pytorch_model.bin
PE-Core-T-16-384 meta 70 timm/PE-Core-T-16-384
PE-Core-S-16-384 meta 87 timm/PE-Core-S-16-384
PE-Core-B-16 meta 448 timm/PE-Core-B-16
PE-Core-L-14-336 meta 671 timm/PE-Core-L-14-336
PE-Core-bigG-14-448 meta 2419 timm/PE-Core-bigG-14-448
ViT-H-14-worldwide metaclip2_worldwide 1859 timm/vit_huge_patch14_clip_224.metaclip2_worldwide
ViT-H-14-worldwide-378 metaclip2_worldwide 1859 timm/vit_huge_patch14_clip_378.metaclip2_worldwide
ViT-bigG-14-worldwide metaclip2_worldwide 3630 timm/vit_gigantic_patch14_clip_224.metaclip2_worldwide
ViT-bigG-14-worldwide-378 metaclip2_worldwide 3631 timm/vit_gigantic_patch14_clip_378.metaclip2_worldwide
RN50-quickgelu openai 102 timm/resnet50_clip.openai
RN50-quickgelu yfcc15m 102 timm/resnet50_clip.yfcc15m
RN50-quickgelu cc12m 102 timm/resnet50_clip.cc12m
RN101-quickgelu openai 120 timm/resnet101_clip.openai
RN101-quickgelu yfcc15m 120 timm/resnet101_clip.yfcc15m
RN50x4-quickgelu openai 178 timm/resnet50x4_clip.openai
RN50x16-quickgelu openai 291 timm/resnet50x16_clip.openai
RN50x64-quickgelu openai 623 timm/resnet50x64_clip.openai
ViT-B-32-quickgelu openai 151 timm/vit_base_patch32_clip_224.openai
ViT-B-32-quickgelu laion400m_e31 151 timm/vit_base_patch32_clip_224.laion400m_e31
ViT-B-32-quickgelu laion400m_e32 151 timm/vit_base_patch32_clip_224.laion400m_e32
ViT-B-32-quickgelu metaclip_400m 151 timm/vit_base_patch32_clip_224.metaclip_400m
ViT-B-32-quickgelu metaclip_fullcc 151 timm/vit_base_patch32_clip_224.metaclip_2pt5b
ViT-B-16-quickgelu openai 150 timm/vit_base_patch16_clip_224.openai
ViT-B-16-quickgelu dfn2b 150 apple/DFN2B-CLIP-ViT-B-16
ViT-B-16-quickgelu metaclip_400m 150 timm/vit_base_patch16_clip_224.metaclip_400m
ViT-B-16-quickgelu metaclip_fullcc 150 timm/vit_base_patch16_clip_224.metaclip_2pt5b
ViT-L-14-quickgelu openai 428 timm/vit_large_patch14_clip_224.openai
ViT-L-14-quickgelu metaclip_400m 428 timm/vit_large_patch14_clip_224.metaclip_400m
ViT-L-14-quickgelu metaclip_fullcc 428 timm/vit_large_patch14_clip_224.metaclip_2pt5b
ViT-L-14-quickgelu dfn2b 428 apple/DFN2B-CLIP-ViT-L-14
ViT-L-14-336-quickgelu openai 428 timm/vit_large_patch14_clip_336.openai
ViT-H-14-quickgelu metaclip_fullcc 986 timm/vit_huge_patch14_clip_224.metaclip_2pt5b
ViT-H-14-quickgelu dfn5b 986 apple/DFN5B-CLIP-ViT-H-14
ViT-H-14-378-quickgelu dfn5b 987 apple/DFN5B-CLIP-ViT-H-14-378
ViT-bigG-14-quickgelu metaclip_fullcc 2540 timm/vit_gigantic_patch14_clip_224.metaclip_2pt5b
ViT-H-14-worldwide-quickgelu metaclip2_worldwide 1859 timm/vit_huge_patch14_clip_224.metaclip2_worldwide
"""
