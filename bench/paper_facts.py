"""Forty facts written down by hand from two open-access papers, each with its page and the digits that state it.

Tschandl et al. 2018, doi:10.1038/sdata.2018.161, and Zhou et al. 2024, doi:10.1038/s41467-024-50043-3, both CC BY 4.0. The
papers are not ours and not in the repository.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """`answer` stands literally on `page` (from 1) of the paper whose file name holds `paper`."""

    question: str
    paper: str
    page: int
    answer: str


HAM, GPT = "ham10000", "skingpt4"

FACTS = (
    Fact("How many dermatoscopic images does the final dataset consist of?", HAM, 1, "10015"),
    Fact("What share of the lesions has been confirmed by pathology?", HAM, 1, "50%"),
    Fact("How many nevi and melanomas are in the PH2 dataset of Mendonça?", HAM, 2, "160 nevi and 40 melanomas"),
    Fact("How many dermatoscopic images are on the CD-ROM of the Interactive Atlas of Dermoscopy?", HAM, 2, "1044"),
    Fact("How many dermatoscopic images does the ISIC archive include?", HAM, 2, "13786"),
    Fact("How biased is the ISIC archive towards melanocytic lesions?", HAM, 2, "12893 of 13786"),
    Fact("Over what period were the images of the training set collected?", HAM, 2, "20 years"),
    Fact("At which resolution and size were diapositives digitized?", HAM, 3, "300DPI; 15 × 10 cm"),
    Fact("To what size were the scanned diapositives cropped?", HAM, 3, "800x600px at 72DPI"),
    Fact("Which nevi were selected from the digital dermatoscopy system?", HAM, 3, ">1.5 years"),
    Fact("What was the original resolution of images of the MoleMax HD system?", HAM, 4, "1872x1053px"),
    Fact("How many images did the automated method have to screen and categorize?", HAM, 4, ">30000"),
    Fact("How many image files were labeled by hand into overviews, close-ups and dermatoscopy?", HAM, 4, "1501"),
    Fact("Top-1 accuracy of the network that classified images by type on the hold-out test set", HAM, 4, "98.68%"),
    Fact("At which learning rate was the InceptionV3 network trained?", HAM, 4, "0.0003"),
    Fact("What share of pigmented lesions of daily practice do the seven classes cover?", HAM, 4, "95%"),
    Fact("How large are the digital slides of the Rosendahl series?", HAM, 4, "34.2GB"),
    Fact("How many images with a matching histopathologic report were extracted from PowerPoint?", HAM, 4, "36802"),
    Fact("What immersion fluid was used for images of the Rosendahl set?", HAM, 4, "70% ethanol"),
    Fact("How long is the interval between follow-up visits in the MoleMax series?", HAM, 5, "6-12 months"),
    Fact("Since when is the MoleMax HD System used for acquisition of images?", HAM, 5, "2015"),
    Fact("Rosendahl dataset: total images and pathologic verification", HAM, 5, "2259"),
    Fact("HAM10000 dataset: number of nv, mel and bkl images in the summary of datasets", HAM, 5, "6705"),
    Fact("How long must a nevus be followed up without change to be accepted as benign?", HAM, 6, "1.5 years"),
    Fact("How experienced was the author who assessed the presence of change?", HAM, 6, "20 years"),
    Fact("On how many real-life cases was the system evaluated with dermatologists?", GPT, 1, "150"),
    Fact("How prevalent are skin diseases across ages and regions?", GPT, 1, "30 to 70%"),
    Fact("How many skin disease images were collected to train SkinGPT-4?", GPT, 1, "52,929"),
    Fact("What share of the diagnoses did dermatologists evaluate as correct or relevant?", GPT, 4, "80.63%"),
    Fact("How many doctors considered the responses about causes and treatments informative?", GPT, 4, "82.50%"),
    Fact("How much agreement did local deployment for user privacy get?", GPT, 4, "92.50%"),
    Fact("Number of samples with the clinical concept erythema", GPT, 4, "2139"),
    Fact("How many samples were selected to demonstrate the consistency?", GPT, 5, "45 samples"),
    Fact("How consistent were repeated diagnoses of the same image?", GPT, 5, "93.73%"),
    Fact("P value of the response time compared to consulting dermatologists online", GPT, 7, "0.00001"),
    Fact("How many Fitzpatrick 17k images does SKINCON include?", GPT, 8, "3230"),
    Fact("How many images does the Dermnet dataset contain?", GPT, 8, "18,856"),
    Fact("Number of step 2 samples of melanoma skin cancer, nevi, moles", GPT, 8, "23,373"),
    Fact("How many image-text pairs are in the complete dataset for step 2 training?", GPT, 9, "49,043"),
    Fact("What were the learning rate and warmup step of the training?", GPT, 9, "1e-4"),
)
